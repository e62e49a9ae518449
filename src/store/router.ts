import { Failure } from '../base/errors.ts';
import { covers, type Route } from './route.ts';
import type { BlockId, Store } from './store.ts';
import { missingBlock } from './store-errors.ts';
import { claimBlock } from './upkeep.ts';

/** A store with the range of block ids that it is for. */
export interface RoutedStore {
  readonly route: Route;
  readonly store: Store;
}

/**
 * Several stores as one: shards by the first byte of the block id, and replicas where ranges overlap (flist format, section
 * 3.7). A block is put into every store of its range and read from the first one that gives it.
 */
export class Router implements Store {
  readonly address: string;
  readonly capabilities: Store['capabilities'];
  readonly #routed: readonly RoutedStore[];

  constructor(routed: readonly RoutedStore[]) {
    this.#routed = routed;
    this.address = routed.map(({ store }) => store.address).join(', ') || 'no store';
    const every = (what: keyof Store['capabilities']) =>
      routed.length > 0 && routed.every(({ store }) => store.capabilities[what]);
    this.capabilities = { write: every('write'), list: every('list'), delete: every('delete') };
  }

  #storesOf(id: BlockId): Store[] {
    return this.#routed.filter(({ route }) => covers(route, id)).map(({ store }) => store);
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    const failures: Failure[] = [];
    for (const store of this.#storesOf(id)) {
      try {
        return await store.get(id, signal);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failures.push(error);
      }
    }
    throw this.#noneGave(id, failures);
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    const stores = this.#storesOf(id);
    if (stores.length === 0)
      throw new Failure('config', `no store is for blocks that start with ${id.slice(0, 2)}`, {
        hint: 'together the ranges of the stores must cover 00-ff',
      });
    await Promise.all(stores.map((store) => store.put(id, blob, signal)));
  }

  /** Whether every store of the range holds the block, so that putting it would change nothing. */
  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    const stores = this.#storesOf(id);
    const held = await Promise.all(stores.map((store) => store.has(id, signal)));
    return stores.length > 0 && held.every(Boolean);
  }

  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    const stores = this.#storesOf(id);
    const held = await Promise.all(stores.map((store) => claimBlock(store, id, signal)));
    return stores.length > 0 && held.every(Boolean);
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const seen = new Set<BlockId>();
    for (const { route, store } of this.#routed)
      for await (const id of store.list(signal))
        if (covers(route, id) && !seen.has(id)) {
          seen.add(id);
          yield id;
        }
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#storesOf(id).map((store) => store.delete(id, signal)));
  }

  /** A store that does not answer weighs more than one that has no such block: the block may be there. */
  #noneGave(id: BlockId, failures: readonly Failure[]): Failure {
    const worst = failures.find(({ kind }) => kind !== 'not-found');
    if (worst === undefined) return missingBlock(this, id);
    if (failures.length === 1) return worst;
    return new Failure(worst.kind, `no store gives block ${id}`, {
      cause: failures.map(({ message }) => message).join('; '),
      ...(worst.hint !== undefined && { hint: worst.hint }),
    });
  }
}
