import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { custodyMemory } from './custody.ts';
import { usesMemory } from './uses.ts';
import { verifiedMemory } from './verified.ts';

/** What the threads of a process share of a cache. It is handed to a worker as it is. */
export interface SharedCache {
  /** The directory; it need not exist. */
  readonly directory: string;
  readonly verified: SharedArrayBuffer;
  readonly custody: SharedArrayBuffer;
  /** When files were last used. */
  readonly uses: SharedArrayBuffer;
  /** Numbers, by `Word`. */
  readonly words: SharedArrayBuffer;
}

/** The numbers that threads share. */
export const Word = {
  /** Whether the times of files show each change: 0 nobody has tried, 1 they do, 2 not those that follow each other closely. */
  times: 0,
  /** 1 after a warning that the cache cannot be written, until it can be again. */
  warned: 1,
  /** Files that are held open for passthrough. */
  held: 2,
  /** Pages that may be added to the cache. */
  room: 3,
  /** Pages that were added since that was last told to other processes. */
  grown: 4,
} as const;

/** The room of a cache that nobody has limited. */
export const unlimited = 0x7fffffff;

const wordCount = 16;
/** As many blocks of this process are known to be right: 256 GiB of them, if they are full, in 4 MiB. */
const verifiedBlocks = 1 << 19;

/** What the threads of this process are to share of the cache in a directory. */
export function shareCache(directory: string): SharedCache {
  const shared: SharedCache = {
    directory,
    verified: verifiedMemory(verifiedBlocks),
    custody: custodyMemory(),
    uses: usesMemory(),
    words: new SharedArrayBuffer(wordCount * 4),
  };
  const words = new Int32Array(shared.words);
  words[Word.room] = unlimited;
  tryTimes(directory, words);
  return shared;
}

export const [timesUnknown, timesExact, timesCoarse] = [0, 1, 2] as const;

/** Finds out, once for a cache, whether its file system gives each change a time of its own, as Linux does from 6.13 on. */
export function tryTimes(directory: string, words: Int32Array): void {
  if (Atomics.load(words, Word.times) !== timesUnknown) return;
  const path = join(directory, `.times.${randomBytes(8).toString('hex')}.tmp`);
  let file: number;
  try {
    file = openSync(path, 'wx', 0o600);
  } catch {
    return; // not there yet, or it cannot be written
  }
  try {
    unlinkSync(path);
    const times = new Set<number>();
    for (let i = 0; i < 4; i++) {
      writeSync(file, `${i}`);
      times.add(fstatSync(file).ctimeMs);
    }
    Atomics.store(words, Word.times, times.size === 4 ? timesExact : timesCoarse);
  } catch {
    // A full disk: another time.
  } finally {
    closeSync(file);
  }
}
