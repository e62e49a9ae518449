import { orAborted } from '../../base/abort.ts';
import { describeError, Failure } from '../../base/errors.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { type Check, getChecked } from '../../store/wrappers/failover.ts';

export interface StoredBlocksOptions {
  readonly store: Store;
  /** Milliseconds that the store has to answer, with all its replicas and attempts. */
  readonly deadline: number;
  readonly log: (line: string) => void;
}

/** Blocks as they are stored, each within the deadline. What cannot be had is logged, once until it can be again. */
export class StoredBlocks {
  readonly #options: StoredBlocksOptions;
  readonly #reported = new Set<BlockId>();
  readonly #fetches = new Set<AbortController>();
  #isClosed = false;

  constructor(options: StoredBlocksOptions) {
    this.#options = options;
  }

  /**
   * What `check` makes of a block; bytes that it refuses are looked for elsewhere.
   * @throws Failure `timeout` past the deadline, `unavailable`, `not-found`, or `corrupt` when nobody has the right bytes.
   */
  async fetch<T>(id: BlockId, check: Check<T>): Promise<T> {
    const { store, deadline } = this.#options;
    const fetch = new AbortController();
    if (this.#isClosed) throw ended();
    const timer = setTimeout(() => fetch.abort(this.late()), deadline);
    this.#fetches.add(fetch);
    try {
      return await orAborted(getChecked(store, id, check, fetch.signal), fetch.signal);
    } finally {
      clearTimeout(timer);
      this.#fetches.delete(fetch);
    }
  }

  /** Why a read ends at the deadline. */
  late(): Failure {
    const { store, deadline } = this.#options;
    return new Failure('timeout', `${store.address} did not answer within ${deadline} ms`);
  }

  /** Says that somebody waited for a block in vain. */
  report(id: BlockId, error: unknown): void {
    if (this.#isClosed || this.#reported.has(id)) return;
    this.#reported.add(id);
    this.#options.log(`cannot read block ${id} of ${this.#options.store.address}: ${describeError(error)}`);
  }

  /** The block is there: the next time that it is not is news. */
  isFine(id: BlockId): void {
    if (this.#reported.size > 0) this.#reported.delete(id);
  }

  /** Gives up what is being fetched. */
  close(): void {
    this.#isClosed = true;
    for (const fetch of this.#fetches) fetch.abort(ended());
  }
}

function ended(): Failure {
  return new Failure('failed', 'the mount has ended');
}
