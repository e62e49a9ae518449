import { orAborted } from '../base/abort.ts';
import { describeError, Failure } from '../base/errors.ts';
import type { BlockCache } from '../cache/block-cache.ts';
import type { PlainBlock } from '../cache/block-files.ts';
import { decodeBlock } from '../flist/block-codec.ts';
import { getChecked } from '../store/failover.ts';
import type { Store } from '../store/store.ts';

export interface BlockSourceOptions {
  readonly store: Store;
  readonly cache: BlockCache;
  /** Milliseconds that the store has to answer. */
  readonly deadline: number;
  readonly log: (line: string) => void;
}

/** Plain blocks from the cache or else from the store, checked. What cannot be had is logged, once until it can be again. */
export class BlockSource {
  readonly #options: BlockSourceOptions;
  readonly #reported = new Set<string>();
  readonly #fetches = new Set<AbortController>();
  #closed = false;

  constructor(options: BlockSourceOptions) {
    this.#options = options;
  }

  /**
   * The plain bytes of a block, exactly `block.size` of them.
   * @throws Failure `timeout` past the deadline, `unavailable`, `not-found`, or `corrupt` when the bytes are not the block.
   */
  async read(block: PlainBlock): Promise<Uint8Array> {
    try {
      const plain = await this.#options.cache.get(block, () => this.#fetch(block));
      if (plain.length !== block.size)
        throw new Failure('corrupt', `block ${block.id} has ${plain.length} bytes, expected ${block.size}`);
      this.#reported.delete(block.id);
      return plain;
    } catch (error) {
      this.#report(block, error);
      throw error;
    }
  }

  /** Gives up what is being fetched, and waits until the cache is written. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const fetch of this.#fetches) fetch.abort(new Failure('failed', 'the mount has ended'));
    await this.#options.cache.flush();
  }

  async #fetch(block: PlainBlock): Promise<Uint8Array> {
    const { store, deadline } = this.#options;
    const fetch = new AbortController();
    const late = new Failure('timeout', `${store.address} did not answer within ${deadline} ms`);
    const timer = setTimeout(() => fetch.abort(late), deadline);
    this.#fetches.add(fetch);
    try {
      const decode = (blob: Uint8Array) => decodeBlock(blob, block, block.size);
      return await orAborted(getChecked(store, block.id, decode, fetch.signal), fetch.signal);
    } finally {
      clearTimeout(timer);
      this.#fetches.delete(fetch);
    }
  }

  #report(block: PlainBlock, error: unknown): void {
    if (this.#closed || this.#reported.has(block.id)) return;
    this.#reported.add(block.id);
    this.#options.log(
      `cannot read block ${block.id} of ${this.#options.store.address}: ${describeError(error)}`,
    );
  }
}
