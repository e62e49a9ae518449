import { type FileHandle, open } from 'node:fs/promises';
import { describeError, errnoOf, Failure } from '../base/errors.ts';
import { type ManifestColumns, pathAt, plainSizeAt, rowOfBlock } from '../flist/manifest/manifest-columns.ts';
import { type TraceTouch, traceLine } from '../flist/trace/trace-lines.ts';
import type { TraceNotes } from './trace-notes.ts';

export interface TraceFileOptions {
  readonly notes: TraceNotes;
  readonly columns: ManifestColumns;
  /** Bytes that the file may have; 64 MiB by default. */
  readonly limit?: number;
  readonly log: (line: string) => void;
}

/** Milliseconds between two writes. */
const interval = 250;
/** Notes of one write, so that other events get their turn. */
const mostNotes = 10_000;

/**
 * Writes what threads noted (`TraceRecorder`) to a trace file, behind what is in it, so that a mount that was taken over goes on where it
 * was. Whole lines only: a line that a crash cut off is removed first, one that the disk had no room for at once. What goes wrong
 * later is logged and ends the trace, never the mount.
 */
export class TraceFile {
  readonly #options: Required<TraceFileOptions>;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #timer: NodeJS.Timeout;
  #size: number;
  #written = 0;
  #writing: Promise<void> = Promise.resolve();
  #ended = false;

  private constructor(path: string, file: FileHandle, size: number, options: TraceFileOptions) {
    this.#options = { limit: 64 << 20, ...options };
    this.#path = path;
    this.#file = file;
    this.#size = size;
    this.#timer = setInterval(() => void this.flush(), interval).unref();
  }

  /** @throws Failure when the file cannot be written */
  static async open(path: string, options: TraceFileOptions): Promise<TraceFile> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'a+', 0o600);
      const size = await wholeSize(file);
      await file.truncate(size);
      const trace = new TraceFile(path, file, size, options);
      await trace.#append(traceLine({ trace: 1, mounted: new Date(options.notes.mounted).toISOString() }));
      return trace;
    } catch (cause) {
      await file?.close();
      throw new Failure(errnoOf(cause) === 'EACCES' ? 'denied' : 'failed', `cannot write the trace ${path}`, {
        cause,
        hint: 'give --trace a file in a directory that is there and can be written',
      });
    }
  }

  /** Writes what was noted so far. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#flush()).catch((error) => this.#giveUp(error));
    return this.#writing;
  }

  /** Writes what was noted, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (!this.#ended) {
      const touches = this.#nextTouches();
      if (touches.length === 0) return;
      const lines = touches.map(traceLine);
      const { limit } = this.#options;
      const full = traceLine({ ms: touches.at(-1)!.ms, end: 'full' });
      const fitting = howManyFit(lines, limit - this.#size - full.length);
      const isFull = fitting < lines.length;
      await this.#append([...lines.slice(0, fitting), ...(isFull ? [full] : [])].join(''));
      if (isFull) this.#end(`the trace ${this.#path} is as large as it may be and ends`);
    }
  }

  /** The notes that are whole, neighbours of one moment as one. */
  #nextTouches(): TraceTouch[] {
    const { notes, columns } = this.#options;
    const touches: { ms: number; row: number; first: number; last: number }[] = [];
    const end = Math.min(Atomics.load(notes.count, 0), this.#written + mostNotes);
    for (; this.#written < end; this.#written++) {
      const place = Atomics.load(notes.places, this.#written) - 1;
      if (place < 0) break;
      const ms = notes.times[this.#written]!;
      const row = rowOfBlock(columns, place);
      const index = place - columns.blockStart[row]!;
      const before = touches.at(-1);
      if (before?.row === row && before.ms === ms && before.last === index - 1) before.last = index;
      else touches.push({ ms, row, first: index, last: index });
    }
    return touches.map(({ ms, row, first, last }) => ({
      ms,
      path: pathAt(columns, row),
      first,
      last,
      bytes: (last - first) * plainSizeAt(columns, row, first) + plainSizeAt(columns, row, last),
    }));
  }

  async #append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      for (let done = 0; done < bytes.length; )
        done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten;
      this.#size += bytes.length;
    } catch (error) {
      await this.#file.truncate(this.#size);
      throw error;
    }
  }

  #giveUp(error: unknown): void {
    this.#end(`the trace ${this.#path} ends: ${describeError(error)}`);
  }

  #end(why: string): void {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#options.log(why);
  }
}

function howManyFit(lines: readonly string[], bytes: number): number {
  let [count, left] = [0, bytes];
  for (const line of lines) {
    left -= Buffer.byteLength(line);
    if (left < 0) return count;
    count++;
  }
  return count;
}

/** Bytes up to the end of the last whole line. */
async function wholeSize(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  const chunk = Buffer.alloc(64 * 1024);
  for (let end = size; end > 0; ) {
    const start = Math.max(end - chunk.length, 0);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const newline = chunk.lastIndexOf(0x0a, bytesRead - 1);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
