import { Failure } from '../base/errors.ts';
import { type BlockId, isBlockId, type Store } from './store.ts';

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

/** To be asked before a name reaches a path, a URL or a wire. @throws Failure `usage` for what is no id of a block. */
export function requireBlockId(id: string): void {
  if (!isBlockId(id))
    throw new Failure('usage', `${JSON.stringify(String(id).slice(0, 80))} is not the id of a block`, {
      hint: 'an id is 64 lower-case hex digits',
    });
}
