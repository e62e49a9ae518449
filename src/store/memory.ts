import type { BlockId, Store } from './store.ts';
import { missingBlock } from './store-errors.ts';

/** Blocks in memory, for tests and for what is read once. */
export class MemoryStore implements Store {
  readonly address = 'memory:';
  readonly capabilities = { write: true, list: true, delete: true };
  readonly #blobs = new Map<BlockId, Uint8Array>();

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const blob = this.#blobs.get(id);
    if (blob === undefined) throw missingBlock(this, id);
    return blob;
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#blobs.set(id, Uint8Array.from(blob));
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    return this.#blobs.has(id);
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    signal?.throwIfAborted();
    yield* this.#blobs.keys();
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#blobs.delete(id);
  }
}
