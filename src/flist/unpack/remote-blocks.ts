import type { Store } from '../../store/store.ts';
import { type BlockRef, decodeBlock } from '../block/block-codec.ts';
import type { BlockSupply } from './block-supply.ts';

/** Keeps plain blocks on this machine; `ManifestCache` is one. A place is that of the block among all of the manifest. */
export interface PlainCache {
  /** The block, checked; undefined when it is not there. */
  peek(block: BlockRef & { readonly size: number }, place: number): Uint8Array | undefined;
  /** Takes a checked block; waits only when too many are on their way to the disk. */
  keep(block: BlockRef & { readonly size: number }, plain: Uint8Array, place: number): Promise<void>;
}

/** A block as it was brought: from the cache plain and checked, from the store as it is stored there. */
export interface BroughtBlock {
  readonly bytes: Uint8Array;
  readonly isPlain: boolean;
}

/** Blocks of a store, with those that a cache has. */
export class RemoteBlocks implements BlockSupply {
  readonly #store: Store;
  readonly #cache: PlainCache | undefined;

  constructor(store: Store, cache?: PlainCache) {
    this.#store = store;
    this.#cache = cache;
  }

  get isCached(): boolean {
    return this.#cache !== undefined;
  }

  async bring(place: number, ref: BlockRef, size: number, signal?: AbortSignal): Promise<BroughtBlock> {
    const cached = this.#cache?.peek({ ...ref, size }, place);
    if (cached !== undefined) return { bytes: cached, isPlain: true };
    return { bytes: await this.#store.get(ref.id, signal), isPlain: false };
  }

  async keep(place: number, ref: BlockRef, plain: Uint8Array): Promise<void> {
    await this.#cache?.keep({ ...ref, size: plain.length }, plain, place);
  }

  async plain(place: number, ref: BlockRef, plainSize: number): Promise<Uint8Array> {
    const { bytes, isPlain } = await this.bring(place, ref, plainSize);
    if (isPlain) return bytes;
    const plain = decodeBlock(bytes, ref, plainSize);
    await this.keep(place, ref, plain);
    return plain;
  }
}
