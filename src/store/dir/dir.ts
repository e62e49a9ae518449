import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, Failure } from '../../base/errors.ts';
import { type BlockId, isBlockId, type Store, storedBlockLimit } from '../store.ts';
import { missingBlock, requireBlockId } from '../store-errors.ts';
import { directoryFailure, flatPath, shardedPath } from './dir-paths.ts';
import { DirUpkeep } from './dir-upkeep.ts';
import { DirWriter } from './dir-writer.ts';
import type { DirectBlocks, WrittenBlock } from './direct-writer.ts';

/**
 * Blocks as files of a directory: `<root>/<2 hex>/<64 hex>`, and on reading also `<root>/<64 hex>`, the layout of rfs before
 * July 2024 (flist format, section 3.2). The directory is made by the first `put`.
 */
export class DirStore implements Store {
  readonly address: string;
  readonly capabilities = { write: true, list: true, delete: true };
  readonly upkeep: DirUpkeep;
  readonly direct: DirectBlocks;
  readonly #root: string;
  readonly #writer: DirWriter;

  /** @param root an absolute path. */
  constructor(root: string) {
    this.#root = root;
    this.address = `dir://${root}`;
    this.#writer = new DirWriter(root);
    this.upkeep = new DirUpkeep(root, this.address);
    this.direct = { root, adopt: (blocks) => this.#adopt(blocks) };
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    requireBlockId(id);
    for (const path of [shardedPath(this.#root, id), flatPath(this.#root, id)]) {
      try {
        return await readBlockFile(path, signal);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw this.#failure(`cannot read block ${id}`, error, signal);
      }
    }
    throw missingBlock(this, id);
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    requireBlockId(id);
    try {
      await this.#writer.write(shardedPath(this.#root, id), blob, signal);
    } catch (error) {
      throw this.#failure(`cannot write block ${id}`, error, signal);
    }
  }

  async #adopt(blocks: readonly WrittenBlock[]): Promise<void> {
    const files = blocks.map(({ id, temporary }) => {
      requireBlockId(id);
      return { temporary, path: shardedPath(this.#root, id) };
    });
    try {
      await this.#writer.adopt(files);
    } catch (error) {
      throw this.#failure(`cannot write ${blocks.length} blocks`, error);
    }
  }

  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    requireBlockId(id);
    for (const path of [shardedPath(this.#root, id), flatPath(this.#root, id)]) {
      try {
        if ((await stat(path)).isFile()) return true;
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw this.#failure(`cannot look for block ${id}`, error);
      }
    }
    return false;
  }

  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    requireBlockId(id);
    return this.upkeep.claim(id);
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    for (const name of await this.#names(this.#root)) {
      signal?.throwIfAborted();
      if (isBlockId(name)) {
        if (!(await exists(shardedPath(this.#root, name)))) yield name;
      } else if (/^[0-9a-f]{2}$/.test(name))
        for (const id of await this.#names(join(this.#root, name)))
          if (isBlockId(id) && id.startsWith(name)) yield id;
    }
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    requireBlockId(id);
    try {
      await rm(shardedPath(this.#root, id), { force: true });
      await rm(flatPath(this.#root, id), { force: true });
    } catch (error) {
      throw this.#failure(`cannot delete block ${id}`, error);
    }
  }

  async #names(directory: string): Promise<string[]> {
    try {
      return await readdir(directory);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw this.#failure('cannot list the blocks', error);
    }
  }

  #failure(what: string, cause: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted) return signal.reason;
    return directoryFailure(this.address, what, cause);
  }
}

async function readBlockFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).size > storedBlockLimit)
      throw new Failure('corrupt', `${path} is larger than a block can be`);
    return await file.readFile({ ...(signal && { signal }) });
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
