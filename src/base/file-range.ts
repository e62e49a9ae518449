import type { FileHandle } from 'node:fs/promises';
import { Failure } from './errors.ts';

/** An open file, and the path by which another thread or process opens it too. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
}

/** Small enough to be used up and forgotten before it counts as something that lives long. */
const usualChunk = 1 << 16;

/**
 * The bytes of an open file from `start` to before `end`, in chunks. What is not wanted can be skipped without being read.
 * @throws Failure `corrupt` when the file ends before `end`.
 */
export class FileRange implements AsyncIterableIterator<Uint8Array> {
  readonly #file: OpenFile;
  readonly #end: number;
  readonly #chunkSize: number;
  #at: number;

  constructor(file: OpenFile, start: number, end: number, { chunkSize = usualChunk } = {}) {
    this.#file = file;
    this.#at = start;
    this.#end = end;
    this.#chunkSize = chunkSize;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const wanted = Math.min(this.#chunkSize, this.#end - this.#at);
    if (wanted <= 0) return { done: true, value: undefined };
    const chunk = Buffer.allocUnsafeSlow(wanted);
    await readFully(this.#file, chunk, this.#at);
    this.#at += wanted;
    return { done: false, value: chunk };
  }

  /** Leaves out up to `size` bytes, as many as there are; returns how many. */
  async skip(size: number): Promise<number> {
    const skipped = Math.min(size, this.#end - this.#at);
    this.#at += skipped;
    return skipped;
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#at = this.#end;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Fills `buffer` with the bytes of a file at `position`.
 * @throws Failure `corrupt` when the file ends before.
 */
export async function readFully({ handle, path }: OpenFile, buffer: Buffer, position: number): Promise<void> {
  for (let filled = 0; filled < buffer.length; ) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0)
      throw new Failure('corrupt', `${path} ends at byte ${position + filled}`, {
        hint: 'the file changed while it was read, or was cut off; run the command again',
      });
    filled += bytesRead;
  }
}
