import { FileCache } from '../../cache/file-cache.ts';
import { PlainFiles } from '../../cache/plain-file-at.ts';
import type { SharedCache } from '../../cache/shared-cache.ts';
import { blockSize } from '../../flist/block/block-codec.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { FileBlock } from './block-ranges.ts';

/** The cache as one thread of a mount sees it: by the blocks of the manifest's files. All calls wait for the disk only. */
export class BlockKeeper {
  readonly #cache: FileCache;
  readonly #files: PlainFiles;

  /** @param warn see `FileCacheOptions` */
  constructor(shared: SharedCache, columns: ManifestColumns, warn: (line: string) => void) {
    this.#cache = new FileCache(shared, { warn });
    this.#files = new PlainFiles(columns);
  }

  /** Fills `target` with the bytes of a block from `start` on; false when it is not there whole and right. */
  readInto(target: Uint8Array, { row, index }: FileBlock, start: number): boolean {
    return this.#cache.readInto(target, this.#files.at(row), index * blockSize + start);
  }

  /** Whether it seems to be there; only `readInto` proves it. */
  has({ row, index }: FileBlock): boolean {
    return this.#cache.has(this.#files.at(row), index);
  }

  /** How many blocks of the file in a row seem to be there. */
  blocksHere(row: number): number {
    return this.#cache.blocksHere(this.#files.at(row));
  }

  /** Keeps a block whose bytes were checked. */
  put({ row, index }: FileBlock, plain: Uint8Array): void {
    this.#cache.put(this.#files.at(row), index, plain);
  }

  close(): void {
    this.#cache.close();
  }
}
