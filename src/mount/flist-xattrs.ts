import { kindOfMode } from '../flist/manifest/inode.ts';
import { blockCountAt, type ManifestColumns } from '../flist/manifest/manifest-columns.ts';

export interface FlistXattrOptions {
  readonly columns: ManifestColumns;
  /** How many blocks of the file in a row are in the cache. */
  readonly cachedBlocks: (row: number) => number;
  /** The address, without secrets, of the store that last gave a block of the file in a row. */
  readonly storeOf: (row: number) => string | undefined;
}

const prefix = Buffer.from('user.flist.');

/**
 * Extended attributes by which a mount tells about a file: `user.flist.blocks`, `.cache` and `.store`. They are given to who asks
 * for them by name and never listed, so that no copy takes them along.
 */
export class FlistXattrs {
  readonly #options: FlistXattrOptions;

  constructor(options: FlistXattrOptions) {
    this.#options = options;
  }

  /** The value of an attribute; undefined when it is none of these, or the file has none. */
  value(row: number, name: Uint8Array): Uint8Array | undefined {
    if (name.length <= prefix.length || prefix.compare(name, 0, prefix.length) !== 0) return undefined;
    if (kindOfMode(this.#options.columns.mode[row]!) !== 'file') return undefined;
    const text = this.#text(row, Buffer.from(name.subarray(prefix.length)).toString());
    return text === undefined ? undefined : Buffer.from(text);
  }

  #text(row: number, name: string): string | undefined {
    const { columns, storeOf } = this.#options;
    switch (name) {
      case 'blocks':
        return `count=${blockCountAt(columns, row)} bytes=${columns.size[row]}`;
      case 'cache':
        return this.#cacheText(row);
      case 'store':
        return storeOf(row);
      default:
        return undefined;
    }
  }

  #cacheText(row: number): string {
    const { columns, cachedBlocks } = this.#options;
    const count = blockCountAt(columns, row);
    const cached = cachedBlocks(row);
    return `${cached === count ? 'whole' : cached === 0 ? 'none' : 'partial'} ${cached}/${count}`;
  }
}
