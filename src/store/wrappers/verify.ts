import { loadBlake2b } from '../../base/blake2b.ts';
import { Failure } from '../../base/errors.ts';
import type { BlockId, Store } from '../store.ts';
import { requireBlockId } from '../store-errors.ts';
import { Wrapper } from './wrapper.ts';

/** Looks at the stored bytes of a block. @throws Failure `corrupt` when they are not the block. */
export type Verifier = (id: BlockId, blob: Uint8Array) => void | Promise<void>;

/** Whether the bytes have the digest that they are named by; the check of the plain bytes is `decodeBlock` of `flist/`. */
export const verifyId: Verifier = async (id, blob) => {
  const blake2b = await loadBlake2b();
  if (blake2b(blob) !== id)
    throw new Failure('corrupt', `block ${id} is damaged`, {
      cause: 'the stored bytes do not have the digest they are named by',
      hint: 'fetch it from another store, or pack the files again',
    });
};

/** Lets only right blocks in and out. */
export class VerifiedStore extends Wrapper {
  readonly #verify: Verifier;

  constructor(inner: Store, verify: Verifier = verifyId) {
    super(inner);
    this.#verify = verify;
  }

  override async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    const blob = await this.inner.get(id, signal);
    await this.#checked(id, blob);
    return blob;
  }

  override async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    requireBlockId(id);
    await this.#verify(id, blob);
    await this.inner.put(id, blob, signal);
  }

  async #checked(id: BlockId, blob: Uint8Array): Promise<void> {
    try {
      await this.#verify(id, blob);
    } catch (cause) {
      if (!(cause instanceof Failure)) throw cause;
      throw fromStore(this, cause);
    }
  }
}

/** The failure of a check with the store that gave the bytes. */
export function fromStore({ address }: Store, failure: Failure): Failure {
  return new Failure(failure.kind, `${address}: ${failure.message}`, {
    cause: failure.cause,
    ...(failure.hint !== undefined && { hint: failure.hint }),
  });
}
