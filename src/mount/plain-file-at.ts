import type { PlainFile } from '../cache/plain-file.ts';
import { blockAt, blockCountAt, type ManifestColumns, plainSizeAt } from '../flist/manifest-columns.ts';

/** A file of a manifest as the cache knows it. */
export function plainFileAt(columns: ManifestColumns, row: number): PlainFile {
  const start = columns.blockStart[row]!;
  return {
    size: columns.size[row]!,
    count: blockCountAt(columns, row),
    block: (index) => ({ ...blockAt(columns, start + index), size: plainSizeAt(columns, row, index) }),
  };
}
