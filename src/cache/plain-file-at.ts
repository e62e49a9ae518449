import {
  blockAt,
  blockCountAt,
  type ManifestColumns,
  plainSizeAt,
} from '../flist/manifest/manifest-columns.ts';
import type { PlainFile } from './plain-file.ts';

/** A file of a manifest as the cache knows it. */
export function plainFileAt(columns: ManifestColumns, row: number): PlainFile {
  const start = columns.blockStart[row]!;
  return {
    size: columns.size[row]!,
    count: blockCountAt(columns, row),
    block: (index) => ({ ...blockAt(columns, start + index), size: plainSizeAt(columns, row, index) }),
  };
}

/** Files whose objects are kept, for the names in the cache that are computed with them. */
const mostFiles = 64;

/** Files of a manifest by their rows, the same object for the same file, as the cache wants it. */
export class PlainFiles {
  readonly #columns: ManifestColumns;
  readonly #files = new Map<number, PlainFile>();

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
  }

  at(row: number): PlainFile {
    let file = this.#files.get(row);
    if (file === undefined) {
      file = plainFileAt(this.#columns, row);
      if (file.count === 1) return file; // whose name is that of its block
      const [oldest] = this.#files.keys();
      if (this.#files.size >= mostFiles) this.#files.delete(oldest!);
      this.#files.set(row, file);
    }
    return file;
  }
}
