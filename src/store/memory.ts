import type { BlockId, Store } from './store.ts';
import { missingBlock, requireBlockId } from './store-errors.ts';
import type { BlockUpkeep } from './upkeep.ts';

interface Held {
  readonly blob: Uint8Array;
  readonly modified: number;
}

/** Blocks in memory, for tests and for what is read once. */
export class MemoryStore implements Store {
  readonly address = 'memory:';
  readonly capabilities = { write: true, list: true, delete: true };
  readonly #blobs = new Map<BlockId, Held>();

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    requireBlockId(id);
    const held = this.#blobs.get(id);
    if (held === undefined) throw missingBlock(this, id);
    return held.blob;
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    requireBlockId(id);
    this.#blobs.set(id, { blob: Uint8Array.from(blob), modified: Date.now() });
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    requireBlockId(id);
    return this.#blobs.has(id);
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    signal?.throwIfAborted();
    yield* this.#blobs.keys();
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    requireBlockId(id);
    this.#blobs.delete(id);
  }

  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    requireBlockId(id);
    const held = this.#blobs.get(id);
    if (held !== undefined) this.#blobs.set(id, { ...held, modified: Date.now() });
    return held !== undefined;
  }

  readonly upkeep: BlockUpkeep = {
    stat: async (id) => {
      const held = this.#blobs.get(id);
      return held && { size: held.blob.length, modified: held.modified };
    },
    sweep: async (id, before) => {
      const held = this.#blobs.get(id);
      return held !== undefined && held.modified < before && this.#blobs.delete(id);
    },
    tidy: async () => ({ files: 0, bytes: 0 }),
  };
}
