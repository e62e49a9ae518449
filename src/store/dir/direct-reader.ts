import { closeSync, openSync, readSync } from 'node:fs';
import { errnoOf, Failure } from '../../base/errors.ts';
import { type BlockId, storedBlockLimit } from '../store.ts';
import { directoryFailure, flatPath, shardedPath } from './dir-paths.ts';

/** Reads blocks of a directory store for a thread that has nothing else to do, with calls that block. */
export class DirectReader {
  readonly #root: string;
  /** Reused for each stored block: fresh memory costs more than reading. */
  readonly #room = Buffer.allocUnsafeSlow(storedBlockLimit + 1);

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * The stored bytes, not checked, until the next call.
   * @throws Failure as `Store.get`
   */
  read(id: BlockId): Uint8Array {
    for (const path of [shardedPath(this.#root, id), flatPath(this.#root, id)]) {
      try {
        return this.#readFile(path);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT')
          throw directoryFailure(`dir://${this.#root}`, `cannot read block ${id}`, error);
      }
    }
    throw new Failure('not-found', `dir://${this.#root} has no block ${id}`, {
      hint: 'name a store that has it, or pack the files again',
    });
  }

  #readFile(path: string): Uint8Array {
    const file = openSync(path, 'r');
    try {
      let filled = 0;
      for (let read = -1; read !== 0 && filled < this.#room.length; filled += read)
        read = readSync(file, this.#room, filled, this.#room.length - filled, null);
      if (filled > storedBlockLimit) throw new Failure('corrupt', `${path} is larger than a block can be`);
      return this.#room.subarray(0, filled);
    } finally {
      closeSync(file);
    }
  }
}
