import { randomBytes } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, Failure } from './errors.ts';
import type { OpenFile } from './file-range.ts';

/**
 * A temporary file that has no name: it is gone when it is closed, and also when this process dies. Written from its start to
 * its end, read anywhere.
 */
export class Spool implements OpenFile {
  readonly handle: OpenFile['handle'];
  /** Where this and other processes of the user open it, as long as this process has it open (proc_pid_fd(5)). */
  readonly path: string;
  readonly #directory: string;
  #size = 0;

  private constructor(handle: OpenFile['handle'], directory: string) {
    this.handle = handle;
    this.path = `/proc/${process.pid}/fd/${handle.fd}`;
    this.#directory = directory;
  }

  /**
   * @param directory on whose file system it takes its space; by default that of `TMPDIR`, else `/tmp`.
   * @throws Failure `denied` or `failed` when no file can be made there.
   */
  static async open(directory = tmpdir()): Promise<Spool> {
    const name = join(directory, `.zosbuilder-spool.${process.pid}.${randomBytes(8).toString('hex')}`);
    try {
      const handle = await open(name, 'wx+', 0o600);
      await rm(name);
      return new Spool(handle, directory);
    } catch (cause) {
      const denied = ['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(cause) ?? '');
      throw new Failure(denied ? 'denied' : 'failed', `cannot make a temporary file in ${directory}`, {
        cause,
        hint: 'set TMPDIR to a directory that can be written',
      });
    }
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** @throws Failure `failed` when the disk is full. */
  async append(chunk: Uint8Array): Promise<void> {
    try {
      for (let written = 0; written < chunk.length; ) {
        const { bytesWritten } = await this.handle.write(
          chunk,
          written,
          chunk.length - written,
          this.#size + written,
        );
        written += bytesWritten;
      }
    } catch (cause) {
      throw new Failure('failed', `cannot write a temporary file in ${this.#directory}`, {
        cause,
        hint: 'make room there, or set TMPDIR to a directory on a larger disk',
      });
    }
    this.#size += chunk.length;
  }

  /** The source's bytes as they pass; each is in the file before it is given. */
  async *tee(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await this.append(chunk);
      yield chunk;
    }
  }

  async close(): Promise<void> {
    await this.handle.close();
  }
}
