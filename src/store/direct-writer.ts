import { randomBytes } from 'node:crypto';
import { closeSync, fchmodSync, mkdirSync, openSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';
import { errnoOf } from '../base/errors.ts';
import { directoryFailure, flatPath, shardedPath } from './dir-paths.ts';
import type { BlockId } from './store.ts';

/** A block in a file that waits for its name. */
export interface WrittenBlock {
  readonly id: BlockId;
  readonly temporary: string;
}

/** How a thread puts blocks into a directory by itself: a `DirectWriter` writes them, the store gives them their names. */
export interface DirectBlocks {
  readonly root: string;
  /** As `Store.put`, for blocks that are whole in files that a `DirectWriter` wrote; after an error those files are gone. */
  adopt(blocks: readonly WrittenBlock[]): Promise<void>;
}

/**
 * Writes blocks into a directory store for a thread that has nothing else to do, with calls that block. A block is whole, but it
 * has a temporary name: `DirectBlocks.adopt` gives it the right one.
 */
export class DirectWriter {
  readonly #root: string;
  readonly #mark = `${process.pid}.${randomBytes(4).toString('hex')}${threadId.toString(16)}`;
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Writes the block, unless it is there.
   * @returns its temporary path; undefined when it is there, and then it counts as put just now (`Store.claim`)
   */
  write(id: BlockId, blob: Uint8Array): string | undefined {
    try {
      if (this.#claim(shardedPath(this.#root, id)) || this.#claim(flatPath(this.#root, id))) return undefined;
      return this.#writeNew(id, blob);
    } catch (error) {
      throw directoryFailure(`dir://${this.#root}`, `cannot write block ${id}`, error);
    }
  }

  /** As `DirUpkeep.claim`: the time first, and then a look whether it is still there. */
  #claim(path: string): boolean {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch (error) {
      if (errnoOf(error) !== 'EROFS') return false; // put again, which makes it young too
    }
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  }

  #writeNew(id: BlockId, blob: Uint8Array): string {
    const temporary = `${dirname(shardedPath(this.#root, id))}/.${id}.${this.#mark}${(this.#count++).toString(16)}.tmp`;
    const file = create(temporary);
    try {
      for (let written = 0; written < blob.length; ) written += writeSync(file, blob, written);
      fchmodSync(file, 0o644);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return temporary;
  }
}

/** A new file; its directory is made when it is not there, also when somebody has just removed it. */
function create(path: string): number {
  try {
    return openSync(path, 'wx', 0o644);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'wx', 0o644);
  }
}
