import { formatBytes } from '../../base/units.ts';
import { linkBusybox } from '../../image/busybox.ts';
import type { SbomPackage } from '../../image/sbom.ts';
import type { Lock } from '../../package/deb/lock.ts';
import { packagesTree } from '../../package/deb/packages-tree.ts';
import { overlay } from '../../tree/overlay.ts';
import { type ArchiveInput, archiveInput, fetchPackages } from '../debian-archive.ts';
import { ownersOf } from '../owners.ts';
import { output, type Stage } from '../stage.ts';

export const basePackages: Stage = {
  name: 'base_packages',
  summary: 'downloads and unpacks the packages over the skeleton',
  module: import.meta.filename,
  inputs: async (recipe) => ({
    skeleton: output('base_extract', 'skeleton'),
    accounts: output('base_configure', 'files'),
    packages: output('base_configure', 'image'),
    archive: await archiveInput(recipe.values),
  }),
  async run(access) {
    const lock = await access.value<Lock>('packages');
    const treeOf = await fetchPackages(lock, await access.value<ArchiveInput>('archive'), access);
    const { tree, owners } = await packagesTree(lock, await access.tree('skeleton'), treeOf);
    const root = overlay(await linkBusybox(tree), await access.tree('accounts'));
    const packages = lock.map(
      ({ name, version, architecture, sha256 }): SbomPackage => ({
        type: 'deb/debian',
        name,
        version,
        architecture,
        sha256,
      }),
    );
    return {
      trees: { root },
      values: { owners: ownersOf(owners), packages },
      note: `${lock.length} packages, ${root.size} entries, ${formatBytes(root.contentSize())}`,
    };
  },
};
