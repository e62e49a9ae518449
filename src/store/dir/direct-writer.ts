import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  mkdirSync,
  opendirSync,
  openSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';
import { errnoOf } from '../../base/errors.ts';
import { type BlockId, isBlockId } from '../store.ts';
import { directoryFailure, flatPath, shardedPath, shardPath } from './dir-paths.ts';

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

/** The directories of a store; undefined where blocks lie beside them too, as rfs put them before July 2024. */
export type Shards = ReadonlySet<string> | undefined;

/** Finds out what may hold blocks. @throws Failure when the store cannot be read */
export function shardsOf(root: string): Shards {
  try {
    const shards = new Set<string>();
    const directory = opendirSync(root);
    try {
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (isBlockId(entry.name)) return undefined;
        shards.add(entry.name);
      }
    } finally {
      directory.closeSync();
    }
    return shards;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Set();
    throw directoryFailure(`dir://${root}`, 'cannot list the blocks', error);
  }
}

/**
 * Writes blocks into a directory store for a thread that has nothing else to do, with calls that block. A block is whole, but it
 * has a temporary name: `DirectBlocks.adopt` gives it the right one.
 */
export class DirectWriter {
  readonly #root: string;
  readonly #shards: Shards;
  readonly #mark = `${process.pid}.${randomBytes(4).toString('hex')}${threadId.toString(16)}`;
  #count = 0;

  /** @param shards what `shardsOf` found when the work began: other directories hold only what was put since */
  constructor(root: string, shards?: Shards) {
    this.#root = root;
    this.#shards = shards;
  }

  /**
   * Writes the block, unless it is there.
   * @returns its temporary path; undefined when it is there, and then it counts as put just now (`Store.claim`)
   */
  write(id: BlockId, blob: Uint8Array): string | undefined {
    try {
      return this.#holds(id) ? undefined : this.#writeNew(id, blob);
    } catch (error) {
      throw directoryFailure(`dir://${this.#root}`, `cannot write block ${id}`, error);
    }
  }

  #holds(id: BlockId): boolean {
    if (this.#shards !== undefined)
      return this.#shards.has(id.slice(0, 2)) && this.#claim(shardedPath(this.#root, id));
    return this.#claim(shardedPath(this.#root, id)) || this.#claim(flatPath(this.#root, id));
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
    const temporary = `${shardPath(this.#root, id)}/.${id}.${this.#mark}${(this.#count++).toString(16)}.tmp`;
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
