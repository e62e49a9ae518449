import { Failure } from '../base/errors.ts';
import type { BlockId, Store } from './store.ts';

/** What `Store.get` throws for a block that the store does not hold. */
export function missingBlock(store: Store, id: BlockId): Failure {
  return new Failure('not-found', `${store.address} has no block ${id}`);
}

/** What a store throws that is asked for something its capabilities leave out. */
export function notCapable(store: Store, what: string): Failure {
  return new Failure('denied', `${store.address} cannot ${what}: this kind of store is for reading only`, {
    hint: 'name a store that can, for example dir:///srv/blocks',
  });
}
