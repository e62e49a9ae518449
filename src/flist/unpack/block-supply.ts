import { closeSync, openSync, readSync } from 'node:fs';
import { errnoOf, Failure } from '../../base/errors.ts';
import { directoryFailure, flatPath, shardedPath } from '../../store/dir-paths.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { covers } from '../../store/route.ts';
import { storedBlockLimit } from '../../store/store.ts';
import { type BlockRef, decodeBlock } from '../block-codec.ts';

/** Gives the plain bytes of the block at a place of the manifest, checked. What it gives may be overwritten by the next call. */
export interface BlockSupply {
  plain(place: number, ref: BlockRef, plainSize: number): Uint8Array | Promise<Uint8Array>;
}

/** Reads and decodes the blocks of local directory stores. */
export class DirectorySupply implements BlockSupply {
  readonly #directories: readonly LocalDirectory[];
  /** Reused for each stored block: fresh memory costs more than reading. */
  readonly #room = Buffer.allocUnsafeSlow(storedBlockLimit + 1);

  constructor(directories: readonly LocalDirectory[]) {
    this.#directories = directories;
  }

  plain(_place: number, ref: BlockRef, plainSize: number): Uint8Array {
    const directory = this.#directories.find((directory) => covers(directory, ref.id));
    if (directory === undefined)
      throw new Failure('not-found', `no store is for block ${ref.id}`, {
        hint: 'name the store that has it, as [xx-yy=]URL',
      });
    return decodeBlock(this.#read(directory.root, ref.id), ref, plainSize);
  }

  #read(root: string, id: string): Uint8Array {
    for (const path of [shardedPath(root, id), flatPath(root, id)]) {
      try {
        return this.#readFile(path);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT')
          throw directoryFailure(`dir://${root}`, `cannot read block ${id}`, error);
      }
    }
    throw new Failure('not-found', `dir://${root} has no block ${id}`, {
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
