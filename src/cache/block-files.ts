import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { writeAtomic } from '../base/files.ts';
import type { PlainBlock } from './plain-file.ts';

export type { PlainBlock } from './plain-file.ts';

/**
 * Plain blocks as files `DIRECTORY/hh/hh/ID`, `hh` being the first digits of the id: the layout of rfs
 * (src/cache/mod.rs), so both may share a directory. What lies there is trusted only after its hash was found equal to
 * the key of the block, once for each object of this class.
 */
export class BlockFiles {
  readonly directory: string;
  readonly #keyOf: (plain: Uint8Array) => string;
  /** The key with which each id was verified. */
  readonly #verified = new Map<string, string>();

  /** @param keyOf BLAKE2b-256 as 64 lower-case hex digits */
  constructor(directory: string, keyOf: (plain: Uint8Array) => string) {
    this.directory = directory;
    this.#keyOf = keyOf;
  }

  /** The whole block; undefined when it is not there whole and right. Blocks the thread for a read from the disk. */
  read(block: PlainBlock): Uint8Array | undefined {
    return this.#withFile(block, (file) => this.#readVerified(file, block));
  }

  /**
   * Copies the bytes from `start` on into `target` and fills it; false when the block is not there whole and right.
   * Allocates nothing but for the first use of a block. Blocks the thread for a read from the disk.
   */
  readInto(target: Uint8Array, block: PlainBlock, start: number): boolean {
    const done = this.#withFile(block, (file) => {
      if (this.#verified.get(block.id) === block.key) return readExactly(file, target, start);
      const plain = this.#readVerified(file, block);
      if (plain === undefined) return false;
      target.set(plain.subarray(start, start + target.length));
      return true;
    });
    return done ?? false;
  }

  /** Keeps a block, in place of whatever lies there. Its bytes must have been checked. */
  async write(block: PlainBlock, plain: Uint8Array): Promise<void> {
    await writeAtomic(this.#path(block.id), plain);
  }

  #readVerified(file: number, block: PlainBlock): Uint8Array | undefined {
    if (fstatSync(file).size !== block.size) return undefined;
    const plain = Buffer.allocUnsafeSlow(block.size);
    if (!readExactly(file, plain, 0) || this.#keyOf(plain) !== block.key) return undefined;
    this.#verified.set(block.id, block.key);
    return plain;
  }

  /** Undefined too when the file is missing or cannot be read: both mean that the block must be fetched. */
  #withFile<Result>(block: PlainBlock, use: (file: number) => Result): Result | undefined {
    try {
      const file = openSync(this.#path(block.id), 'r');
      try {
        return use(file);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      if (errnoOf(error) !== undefined) return undefined;
      throw error;
    }
  }

  #path(id: string): string {
    return join(this.directory, id.slice(0, 2), id.slice(2, 4), id);
  }
}

/** Fills `target` with the bytes of a file from `position` on; false when the file ends before. */
function readExactly(file: number, target: Uint8Array, position: number): boolean {
  for (let filled = 0; filled < target.length; ) {
    const read = readSync(file, target, filled, target.length - filled, position + filled);
    if (read === 0) return false;
    filled += read;
  }
  return true;
}
