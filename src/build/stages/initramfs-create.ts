import { formatBytes } from '../../base/units.ts';
import { textEntry } from '../../image/entries.ts';
import { buildInitramfs, type Compression, initramfsName } from '../../image/initramfs.ts';
import { type SbomPackage, spdxDocument } from '../../image/sbom.ts';
import { sizeByPart } from '../../image/size.ts';
import { newestTime, stampImage } from '../../image/stamp.ts';
import { Tree } from '../../tree/tree.ts';
import { type Owners, ownerOf } from '../owners.ts';
import { output, type Stage, value } from '../stage.ts';
import type { KernelValue } from './kernel-modules.ts';

/** What the finished image is, for everything that comes after it. */
export interface ImageValue {
  readonly file: string;
  readonly bytes: number;
  readonly buildId: string;
  /** The time of the image, in seconds since the epoch. */
  readonly epoch: number;
  /** Uncompressed bytes by what brought them. */
  readonly parts: readonly { readonly name: string; readonly files: number; readonly bytes: number }[];
}

export const initramfsCreate: Stage = {
  name: 'initramfs_create',
  summary: 'stamps the root, writes and compresses the archive, lists its parts',
  module: import.meta.filename,
  inputs: (recipe) => ({
    'cleanup root': output('cleanup', 'root'),
    kernel: output('kernel_modules', 'kernel'),
    owners: output('base_packages', 'owners'),
    'package list': output('base_packages', 'packages'),
    runtime: output('zinit_setup', 'runtime'),
    'image.yaml compression': value(recipe.values.compression),
    source_date_epoch: value(recipe.values.source_date_epoch ?? null),
    SOURCE_DATE_EPOCH: value(process.env['SOURCE_DATE_EPOCH'] ?? null),
  }),
  async run(access) {
    const root = await access.tree('cleanup root');
    const kernel = await access.value<KernelValue>('kernel');
    const runtime = await access.value<{ name: string; version: string }>('runtime');
    const packages = await access.value<SbomPackage[]>('package list');
    const owners = await access.value<Owners>('owners');
    const compression = await access.value<Compression>('image.yaml compression');
    const epoch = Number(
      (await access.value<string | null>('SOURCE_DATE_EPOCH')) ??
        (await access.value<number | null>('source_date_epoch')) ??
        newestTime(root),
    );
    const { tree, stamp } = await stampImage(root, kernel.release, epoch);
    access.reporter.status(`compressing ${formatBytes(tree.contentSize())}`);
    const archive = await buildInitramfs(tree, compression);
    const name = initramfsName(compression.format);
    const sbom = spdxDocument({
      name: 'zero-os-image',
      version: stamp.buildId,
      created: epoch,
      packages: [...packages, { type: 'npm', name: runtime.name, version: runtime.version }],
    });
    const image: ImageValue = {
      file: name,
      bytes: archive.length,
      buildId: stamp.buildId,
      epoch,
      parts: sizeByPart(tree, (path) => partOf(path, owners)),
    };
    return {
      trees: {
        image: Tree.from([[name, textEntry(archive)]]),
        sbom: Tree.from([['sbom.spdx.json', textEntry(sbom)]]),
        root: tree,
      },
      values: { description: image },
      note: `${name}: ${formatBytes(archive.length)} of ${formatBytes(tree.contentSize())}, build ${stamp.buildId}`,
    };
  },
};

/** What brought a path of the image: a package, the kernel's modules, firmware, the runtime, or the recipe. */
function partOf(path: string, owners: Owners): string {
  if (path.startsWith('usr/lib/modules/')) return 'kernel modules';
  if (path.startsWith('usr/lib/firmware/')) return 'firmware';
  if (path === 'usr/bin/node') return 'Node.js';
  return ownerOf(owners, path) ?? 'zosbuilder and recipe';
}
