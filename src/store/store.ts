import type { DirectBlocks } from './dir/direct-writer.ts';
import type { BlockUpkeep } from './upkeep.ts';

/** The id of a block: BLAKE2b-256 of the stored bytes as 64 lower-case hex digits. */
export type BlockId = string;

/**
 * Where blocks live. Every backend, and every wrapper around one, has these five methods; a store that knows the age of its
 * blocks also has `claim` and `upkeep`, and a wrapper hands both through. A block is immutable: the same id always means
 * the same bytes.
 */
export interface Store {
  /** The address as a user may see it: never with a password or token. */
  readonly address: string;
  /** What this store can do; asking for the rest fails with `Failure('denied')`. */
  readonly capabilities: { readonly write: boolean; readonly list: boolean; readonly delete: boolean };
  /**
   * The stored bytes.
   * @throws Failure `not-found` when there is no such block, `unavailable` or `timeout` when the store does not answer.
   */
  get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array>;
  /** Keeps a block. When this returns the block is whole under its name; storing it again is harmless. */
  put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void>;
  has(id: BlockId, signal?: AbortSignal): Promise<boolean>;
  /** Every id in the store, in no particular order. */
  list(signal?: AbortSignal): AsyncIterable<BlockId>;
  /** Removes a block; fine when there is none. */
  delete(id: BlockId, signal?: AbortSignal): Promise<void>;
  /**
   * As `has`, and a block that is held counts from now on as one that was put just now. Who relies on a block that is there
   * claims it, so that `rfs gc`, which only removes old blocks, gives him the time to publish his manifest.
   */
  claim?(id: BlockId, signal?: AbortSignal): Promise<boolean>;
  readonly upkeep?: BlockUpkeep | undefined;
  /** For threads that write blocks themselves; a wrapper that has to see each block has none. */
  readonly direct?: DirectBlocks | undefined;
}

/** Whether a name is the id of a block: 64 lower-case hex digits. */
export function isBlockId(name: string): name is BlockId {
  return /^[0-9a-f]{64}$/.test(name);
}

/** More bytes than any stored block has: 512 KiB that snappy could not compress, its overhead, and the cipher's tag. */
export const storedBlockLimit = 1 << 20;
