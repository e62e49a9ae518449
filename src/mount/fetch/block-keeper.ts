import { FileCache } from '../../cache/file-cache.ts';
import type { PlainFile } from '../../cache/plain-file.ts';
import type { SharedCache } from '../../cache/shared-cache.ts';
import { blockSize } from '../../flist/block-codec.ts';
import type { ManifestColumns } from '../../flist/manifest-columns.ts';
import { plainFileAt } from '../plain-file-at.ts';
import type { FileBlock } from './block-ranges.ts';

/** Files whose objects are kept, for the names that are computed with them. */
const mostFiles = 64;

/** The cache as one thread of a mount sees it: by the blocks of the manifest's files. All calls wait for the disk only. */
export class BlockKeeper {
  readonly #cache: FileCache;
  readonly #columns: ManifestColumns;
  readonly #files = new Map<number, PlainFile>();

  /** @param warn see `FileCacheOptions` */
  constructor(shared: SharedCache, columns: ManifestColumns, warn: (line: string) => void) {
    this.#cache = new FileCache(shared, { warn });
    this.#columns = columns;
  }

  /** Fills `target` with the bytes of a block from `start` on; false when it is not there whole and right. */
  readInto(target: Uint8Array, { row, index }: FileBlock, start: number): boolean {
    return this.#cache.readInto(target, this.#file(row), index * blockSize + start);
  }

  /** Whether it seems to be there; only `readInto` proves it. */
  has({ row, index }: FileBlock): boolean {
    return this.#cache.has(this.#file(row), index);
  }

  /** Keeps a block whose bytes were checked. */
  put({ row, index }: FileBlock, plain: Uint8Array): void {
    this.#cache.put(this.#file(row), index, plain);
  }

  close(): void {
    this.#cache.close();
  }

  #file(row: number): PlainFile {
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
