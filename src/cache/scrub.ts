import { renameSync } from 'node:fs';
import { describeError } from '../base/errors.ts';
import type { CacheDirectory } from './cache-directory.ts';
import { quiet, readWhole, writeNew } from './cache-files.ts';
import { describeEntry, entriesOf, placeOfEntry, shardsOf } from './cache-walk.ts';
import { type CheckTools, checkEntry } from './check-entry.ts';
import { idEncoder } from './id-encoder.ts';
import { StateLock } from './state-lock.ts';
import { besideOthers } from './turn.ts';
import { secondsNow } from './uses.ts';

export interface ScrubOptions {
  /** Bytes a second that may be read. */
  readonly rate: number;
  readonly idOf: CheckTools['idOf'];
  /** Takes a line for each file that was damaged. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const shard = ['state', 'scrub'] as const;
const fileName = 'position';

/** Seconds between the beginnings of two passes, and between two notes of how far one has come. */
const [passEvery, noteEvery] = [24 * 3600, 20];

/** How far the scrub of a cache has come. */
export interface ScrubPosition {
  /** The place of the file that was checked last; empty when none was. */
  readonly after: string;
  /** Seconds since the epoch. */
  readonly began: number;
  /** When the pass ended; 0 while it is under way. */
  readonly ended: number;
}

/** The position; one that has never begun when there is none. */
export function readPosition(directory: CacheDirectory): ScrubPosition {
  const bytes = quiet(() => directory.within(shard, false, (path) => readWhole(`${path}/${fileName}`)));
  return (bytes && parsePosition(bytes.toString())) ?? { after: '', began: 0, ended: 0 };
}

/** Reads a position; undefined when it is none. */
export function parsePosition(text: string): ScrubPosition | undefined {
  const [, after, began, ended] = /^([0-9a-z/.]*) (\d{1,10}) (\d{1,10})\n$/.exec(text) ?? [];
  return after === undefined ? undefined : { after, began: Number(began), ended: Number(ended) };
}

function writePosition(directory: CacheDirectory, { after, began, ended }: ScrubPosition): void {
  directory.within(shard, true, (path) => {
    const bytes = Buffer.from(`${after} ${began} ${ended}\n`);
    writeNew(path, fileName, bytes, (_, temporary) => renameSync(temporary, `${path}/${fileName}`));
  });
}

/**
 * Hashes everything in a cache again, slowly and in the background, from where the last pass stopped; once a day, by one of the processes
 * that use it. Takes out and logs what is damaged. Returns when the pass is done, when another process does it or it is not yet
 * time, or when it is aborted.
 * @throws what the system says, when the cache cannot be written.
 */
export async function scrubOnce(directory: CacheDirectory, options: ScrubOptions): Promise<void> {
  const last = readPosition(directory);
  if (last.ended !== 0 && secondsNow() - last.began < passEvery) return;
  const lock = StateLock.take(directory, 'scrub');
  if (lock === undefined) return;
  try {
    const from = last.ended === 0 ? last : { after: '', began: secondsNow(), ended: 0 };
    await pass(directory, { ...from, began: from.began || secondsNow() }, lock, options);
  } finally {
    lock.release();
  }
}

async function pass(
  directory: CacheDirectory,
  { after, began }: ScrubPosition,
  lock: StateLock,
  { rate, idOf, log, signal }: ScrubOptions,
): Promise<void> {
  const tools: CheckTools = { idOf, onRead: (bytes) => pause(bytes / rate, signal) };
  const turn = besideOthers();
  let noted = secondsNow();
  let at = after;
  for (const each of shardsOf(directory)) {
    const prefix = each.join('/');
    if (prefix < after.slice(0, prefix.length)) continue;
    for (const entry of entriesOf(directory, each)) {
      if (signal.aborted) break;
      const place = placeOfEntry(entry);
      if (place <= after || !['block', 'whole', 'part'].includes(entry.kind)) continue;
      const { verdict, wrongBlocks } = await checkEntry(directory, entry, tools);
      if (verdict === 'wrong') log(damageLine(directory, describeEntry(entry), wrongBlocks));
      if (signal.aborted) break;
      at = place;
      if (secondsNow() - noted < noteEvery) continue;
      noted = secondsNow();
      lock.renew();
      writePosition(directory, { after: at, began, ended: 0 });
    }
    if (signal.aborted) break;
    await turn();
  }
  writePosition(directory, {
    after: signal.aborted ? at : '',
    began,
    ended: signal.aborted ? 0 : secondsNow(),
  });
}

/** What a damaged file is reported by. */
export function damageLine(directory: CacheDirectory, what: string, blocks: readonly number[]): string {
  const which =
    blocks.length === 0 ? '' : ` in its ${blocks.length === 1 ? 'block' : 'blocks'} ${listOf(blocks)}`;
  return `${what} in the cache ${directory.path} was damaged${which} and is no longer used`;
}

function listOf(blocks: readonly number[]): string {
  return blocks.length <= 8
    ? blocks.join(', ')
    : `${blocks.slice(0, 8).join(', ')} and ${blocks.length - 8} more`;
}

/** Waits so many seconds, or until it is aborted; keeps no process from ending. */
function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, seconds * 1000).unref();
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}

export type ScrubberOptions = Omit<ScrubOptions, 'signal' | 'idOf'>;

/** Scrubs a cache as long as it is used. */
export class Scrubber {
  readonly #directory: CacheDirectory;
  readonly #options: ScrubberOptions;
  readonly #ended = new AbortController();
  readonly #work: Promise<void>;

  /** Begins; keeps no process from ending. */
  constructor(directory: CacheDirectory, options: ScrubberOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#work = this.#scrub();
  }

  /** Notes how far it has come, and ends. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#work;
  }

  async #scrub(): Promise<void> {
    const { signal } = this.#ended;
    const idOf = await idEncoder();
    let complained = false;
    for (let wait = firstWait; !signal.aborted; wait = betweenTries) {
      await pause(wait, signal);
      try {
        if (!signal.aborted) await scrubOnce(this.#directory, { ...this.#options, idOf, signal });
      } catch (error) {
        if (!complained)
          this.#options.log(`cannot scrub the cache ${this.#directory.path}: ${describeError(error)}`);
        complained = true;
      }
    }
  }
}

/** Seconds: a mount that has just begun has better things to do. */
const [firstWait, betweenTries] = [60, 600];
