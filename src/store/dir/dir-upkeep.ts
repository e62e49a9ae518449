import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import type { BlockId } from '../store.ts';
import type { BlockStat, BlockUpkeep, Leftovers } from '../upkeep.ts';
import { directoryFailure, flatPath, shardedPath } from './dir-paths.ts';

/** A file that is being written (`writeAtomic`), and one whose name `sweep` has taken away. */
const leftoverName = /^\.([0-9a-f]{64})\.\d+\.[0-9a-f]+\.(tmp|swept)$/;

/**
 * The age of blocks in a directory is the modification time of their files. `claim` sets the time first and looks for the name
 * afterwards; `sweep` takes the name away first and looks at the time afterwards. So one of the two sees what the other
 * did, without a lock: either the claim finds no block, or the sweep finds a young one and gives its name back.
 */
export class DirUpkeep implements BlockUpkeep {
  readonly #root: string;
  readonly #address: string;

  constructor(root: string, address: string) {
    this.#root = root;
    this.#address = address;
  }

  #paths(id: BlockId): string[] {
    return [shardedPath(this.#root, id), flatPath(this.#root, id)];
  }

  /** Whether the block is there, and young from now on. */
  async claim(id: BlockId): Promise<boolean> {
    for (const path of this.#paths(id)) {
      try {
        const now = new Date();
        await utimes(path, now, now);
        if ((await stat(path)).isFile()) return true;
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === 'EROFS') return (await this.stat(id)) !== undefined; // nobody can sweep it either
        // The file is somebody else's; false makes the caller put it again, which makes it young too.
        if (errno === 'EPERM' || errno === 'EACCES') return false;
        if (errno !== 'ENOENT') throw this.#failure(`cannot look for block ${id}`, error);
      }
    }
    return false;
  }

  async stat(id: BlockId, signal?: AbortSignal): Promise<BlockStat | undefined> {
    for (const path of this.#paths(id)) {
      signal?.throwIfAborted();
      const found = await this.#statFile(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async sweep(id: BlockId, before: number, signal?: AbortSignal): Promise<boolean> {
    let swept = false;
    for (const path of this.#paths(id)) {
      signal?.throwIfAborted();
      const found = await this.#statFile(path);
      if (found === undefined) continue;
      if (found.modified >= before || !(await this.#sweepFile(path, id, before))) return false;
      swept = true;
    }
    return swept;
  }

  async tidy(before: number, { dryRun }: { readonly dryRun: boolean }): Promise<Leftovers> {
    const left = { files: 0, bytes: 0 };
    for await (const { path, id, isSwept } of this.#leftovers()) {
      const found = await this.#statFile(path);
      if (found === undefined) continue;
      if (found.modified < before) {
        left.files++;
        left.bytes += found.size;
        if (!dryRun) await rm(path, { force: true });
      } else if (isSwept && !dryRun) await rename(path, join(dirname(path), id));
    }
    return left;
  }

  async #sweepFile(path: string, id: BlockId, before: number): Promise<boolean> {
    const aside = join(dirname(path), `.${id}.${process.pid}.${randomBytes(4).toString('hex')}.swept`);
    try {
      await rename(path, aside);
      const found = await this.#statFile(aside);
      if (found !== undefined && found.modified >= before) {
        await rename(aside, path);
        return false;
      }
      await rm(aside, { force: true });
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false; // another sweep was faster
      throw this.#failure(`cannot remove block ${id}`, error);
    }
  }

  async *#leftovers(): AsyncGenerator<{ path: string; id: BlockId; isSwept: boolean }> {
    for (const shard of ['', ...(await this.#names('')).filter((name) => /^[0-9a-f]{2}$/.test(name))])
      for (const name of await this.#names(shard)) {
        const [, id, kind] = leftoverName.exec(name) ?? [];
        if (id !== undefined) yield { path: join(this.#root, shard, name), id, isSwept: kind === 'swept' };
      }
  }

  async #names(directory: string): Promise<string[]> {
    try {
      return await readdir(join(this.#root, directory));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw this.#failure('cannot list the blocks', error);
    }
  }

  async #statFile(path: string): Promise<BlockStat | undefined> {
    try {
      const found = await stat(path);
      return found.isFile() ? { size: found.size, modified: found.mtimeMs } : undefined;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw this.#failure('cannot look at a block', error);
    }
  }

  #failure(what: string, cause: unknown) {
    return directoryFailure(this.#address, what, cause);
  }
}
