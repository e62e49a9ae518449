import { formatBytes } from '../../base/units.ts';
import { depmod } from '../../kernel/depmod.ts';
import { findKernel } from '../../kernel/release.ts';
import type { Lock } from '../../package/deb/lock.ts';
import { packagesTree } from '../../package/deb/packages-tree.ts';
import { overlay } from '../../tree/overlay.ts';
import { Tree } from '../../tree/tree.ts';
import { type ArchiveInput, archiveInput, fetchPackages } from '../debian-archive.ts';
import { output, type Stage } from '../stage.ts';

/** The kernel of an image. */
export interface KernelValue {
  readonly release: string;
  /** The package that brings it, with its version. */
  readonly package: string;
  readonly version: string;
}

export const kernelModules: Stage = {
  name: 'kernel_modules',
  summary: 'the kernel package: image, all modules, their indexes',
  module: import.meta.filename,
  inputs: async (recipe) => ({
    skeleton: output('base_extract', 'skeleton'),
    packages: output('base_configure', 'kernel'),
    archive: await archiveInput(recipe.values),
  }),
  async run(access) {
    const lock = await access.value<Lock>('packages');
    const treeOf = await fetchPackages(lock, await access.value<ArchiveInput>('archive'), access);
    const { tree, owners } = await packagesTree(lock, await access.tree('skeleton'), treeOf);
    const kernel = await findKernel(tree);
    access.reporter.status(`indexing the modules of ${kernel.release}`);
    const modules = tree.subtree(kernel.modulesDirectory);
    const indexed = overlay(modules, await depmod(modules));
    const brought = lock.find(({ name }) => name === owners.get(kernel.vmlinuz))!;
    const count = [...indexed.paths()].filter((path) => /\.ko(\.\w+)?$/.test(path)).length;
    return {
      trees: {
        modules: indexed.under(`usr/lib/modules/${kernel.release}`),
        boot: Tree.from([['vmlinuz', tree.get(kernel.vmlinuz)!]]),
      },
      values: {
        kernel: {
          release: kernel.release,
          package: brought.name,
          version: brought.version,
        } satisfies KernelValue,
      },
      note: `${kernel.release}: ${count} modules, ${formatBytes(indexed.contentSize())}`,
    };
  },
};
