import type { BlockId, Store } from './store.ts';

/** What a store knows of a block besides its bytes. */
export interface BlockStat {
  /** Stored bytes. */
  readonly size: number;
  /** When it was put or claimed last, in milliseconds since the epoch. */
  readonly modified: number;
}

/** What interrupted puts and sweeps left behind. */
export interface Leftovers {
  readonly files: number;
  readonly bytes: number;
}

/**
 * What a store offers for removing blocks that nobody needs while others put and claim blocks. Times are milliseconds since
 * the epoch.
 */
export interface BlockUpkeep {
  /** Size and age of a block, undefined when there is none. */
  stat(id: BlockId, signal?: AbortSignal): Promise<BlockStat | undefined>;
  /** Removes a block, unless it was put or claimed at `before` or later; says whether it did. */
  sweep(id: BlockId, before: number, signal?: AbortSignal): Promise<boolean>;
  /** Counts what was left behind before `before`, and unless it is a dry run removes it. */
  tidy(before: number, options: { readonly dryRun: boolean }): Promise<Leftovers>;
}

/** `store.claim`, or `store.has` where the store knows no ages. */
export function claimBlock(store: Store, id: BlockId, signal?: AbortSignal): Promise<boolean> {
  return store.claim === undefined ? store.has(id, signal) : store.claim(id, signal);
}
