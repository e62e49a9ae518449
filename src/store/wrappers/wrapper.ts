import type { BlockId, Store } from '../store.ts';
import { type BlockUpkeep, claimBlock } from '../upkeep.ts';

/** What can be asked of a store. */
export const operations = ['get', 'put', 'has', 'list', 'delete'] as const;
export type Operation = (typeof operations)[number];

/** One question to a store about one block. A claim counts as `has`. */
export interface Call {
  readonly operation: Exclude<Operation, 'list'>;
  readonly id: BlockId;
  /** What is to be put. */
  readonly blob?: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/** How the wrapped store is asked, with the signal that it shall listen to. */
export type Ask<T> = (signal: AbortSignal | undefined) => Promise<T>;

/**
 * A store around a store that changes nothing. A kind of wrapper overrides `around`, through which every question about a
 * block goes, or the methods that it changes.
 */
export class Wrapper implements Store {
  readonly address: string;
  readonly capabilities: Store['capabilities'];
  protected readonly inner: Store;

  constructor(inner: Store) {
    this.inner = inner;
    this.address = inner.address;
    this.capabilities = inner.capabilities;
  }

  get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    return this.around({ operation: 'get', id, signal }, (signal) => this.inner.get(id, signal));
  }

  put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    return this.around({ operation: 'put', id, blob, signal }, (signal) => this.inner.put(id, blob, signal));
  }

  has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.around({ operation: 'has', id, signal }, (signal) => this.inner.has(id, signal));
  }

  claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.around({ operation: 'has', id, signal }, (signal) => claimBlock(this.inner, id, signal));
  }

  get upkeep(): BlockUpkeep | undefined {
    return this.inner.upkeep;
  }

  list(signal?: AbortSignal): AsyncIterable<BlockId> {
    return this.inner.list(signal);
  }

  delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    return this.around({ operation: 'delete', id, signal }, (signal) => this.inner.delete(id, signal));
  }

  protected around<T>(call: Call, ask: Ask<T>): Promise<T> {
    return ask(call.signal);
  }
}

/** The bytes that a call moved: those that were put, or those that `result` has. */
export function bytesMoved(call: Call, result: unknown): number {
  if (call.blob !== undefined) return call.blob.length;
  return result instanceof Uint8Array ? result.length : 0;
}
