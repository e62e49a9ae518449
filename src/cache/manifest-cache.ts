import { type BlockRef, blockSize } from '../flist/block/block-codec.ts';
import type { ManifestColumns } from '../flist/manifest/manifest-columns.ts';
import { FileCache, type FileCacheOptions } from './file-cache.ts';
import { PlainFiles } from './plain-file-at.ts';
import type { SharedCache } from './shared-cache.ts';

type SizedBlock = BlockRef & { readonly size: number };

/** A cache by the places of blocks in a manifest (`ManifestColumns.blockRefs`), for programs that read all of a flist. */
export class ManifestCache {
  readonly #cache: FileCache;
  readonly #columns: ManifestColumns;
  readonly #files: PlainFiles;

  constructor(shared: SharedCache, columns: ManifestColumns, options: FileCacheOptions) {
    this.#cache = new FileCache(shared, options);
    this.#columns = columns;
    this.#files = new PlainFiles(columns);
  }

  /** The plain bytes of a block, checked; undefined when it is not here. */
  peek({ size }: SizedBlock, place: number): Uint8Array | undefined {
    const { file, offset } = this.#at(place);
    const plain = Buffer.allocUnsafeSlow(size);
    return this.#cache.readInto(plain, file, offset) ? plain : undefined;
  }

  /** Keeps a block that was checked. */
  async keep(_: SizedBlock, plain: Uint8Array, place: number): Promise<void> {
    const { file, index } = this.#at(place);
    this.#cache.put(file, index, plain);
  }

  close(): void {
    this.#cache.close();
  }

  #at(place: number) {
    const row = rowOfPlace(this.#columns, place);
    const index = place - this.#columns.blockStart[row]!;
    return { file: this.#files.at(row), index, offset: index * blockSize };
  }
}

/** The row of the file that a block belongs to. */
function rowOfPlace({ blockStart }: ManifestColumns, place: number): number {
  let low = 0;
  for (let high = blockStart.length - 1; high - low > 1; ) {
    const middle = (low + high) >>> 1;
    if (blockStart[middle]! <= place) low = middle;
    else high = middle;
  }
  return low;
}
