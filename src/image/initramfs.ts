import { type CompressionFormat, compress } from '../archive/compression.ts';
import { cpioOf } from '../tree/to-cpio.ts';
import type { Tree } from '../tree/tree.ts';

export interface Compression {
  readonly format: CompressionFormat;
  readonly level?: number | undefined;
}

/** The file name of an initramfs: `initramfs.cpio` and the suffix of its compression. */
export function initramfsName(format: CompressionFormat): string {
  const suffix = { zstd: '.zst', xz: '.xz', gzip: '.gz', none: '' }[format];
  return `initramfs.cpio${suffix}`;
}

/** The archive that a kernel unpacks: newc cpio, compressed as one. The same tree gives the same bytes. */
export async function buildInitramfs(tree: Tree, compression: Compression): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of cpioOf(tree)) chunks.push(chunk);
  return compress(Buffer.concat(chunks), compression.format, compression.level);
}
