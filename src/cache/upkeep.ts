import { existsSync } from 'node:fs';
import { describeError, errnoOf, Failure } from '../base/errors.ts';
import { CacheDirectory } from './cache-directory.ts';
import { type Eviction, evict } from './evict.ts';
import { removeDeadHolds } from './holds.ts';
import { growth, Journal, type JournalRecord, pageSize } from './journal.ts';
import { Scrubber } from './scrub.ts';
import { type SharedCache, unlimited, Word } from './shared-cache.ts';
import { StateLock } from './state-lock.ts';
import { besideOthers } from './turn.ts';
import { secondsNow, Uses } from './uses.ts';

export interface UpkeepOptions {
  /** Bytes that the cache may have on the disk; as many as there are when left out. */
  readonly size?: number | undefined;
  /** Bytes a second that may be read to find what is damaged; nothing is looked for when left out. */
  readonly scrub?: number | undefined;
  /** Takes a line: what may not be removed is more than the cache may have, or something was damaged. */
  readonly log: (line: string) => void;
}

/** Milliseconds between two looks; uses are told every so many seconds; files that rfs adds are counted every so many. */
const [lookEvery, tellEvery, countEvery] = [1000, 60, 3600];
/** When so much of the size is taken, eviction begins; and it goes on until so much is left. */
const [high, low] = [0.95, 0.85];

/**
 * What one process does for a cache while it uses it: it tells others what was used and added, keeps the cache to its size, and scrubs it. Where
 * the cache cannot be written it does nothing.
 */
export class CacheUpkeep {
  readonly #shared: SharedCache;
  readonly #words: Int32Array;
  readonly #uses: Uses;
  readonly #directory: CacheDirectory;
  readonly #journal: Journal;
  readonly #options: UpkeepOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #scrubber: Scrubber | undefined;
  #told = secondsNow();
  #counted = 0;
  #eviction: Promise<void> | undefined;
  #complained = false;
  #ended = false;

  private constructor(shared: SharedCache, options: UpkeepOptions) {
    this.#shared = shared;
    this.#words = new Int32Array(shared.words);
    this.#uses = new Uses(shared.uses);
    this.#directory = new CacheDirectory(shared.directory);
    this.#journal = new Journal(this.#directory);
    this.#options = options;
    const { scrub: rate, log } = options;
    if (rate !== undefined) this.#scrubber = new Scrubber(this.#directory, { rate, log });
    this.look();
    this.#timer = setInterval(() => this.look(), lookEvery).unref();
  }

  /** Begins; keeps no process from ending. */
  static start(shared: SharedCache, options: UpkeepOptions): CacheUpkeep {
    return new CacheUpkeep(shared, options);
  }

  /** Tells others what they do not know yet, cleans up behind processes that could not, and ends. */
  async stop(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#timer);
    await this.#scrubber?.stop();
    await this.#eviction;
    this.tell();
    removeDeadHolds(this.#directory);
  }

  /** Tells others at once what they do not know yet: this process may end in any way after it. */
  tell(): void {
    this.#tell(true);
  }

  /** Waits until an eviction that is underway has ended. */
  async settled(): Promise<void> {
    await this.#eviction;
  }

  /** Tells, counts, and begins to evict when there is too much; done by itself once a second. */
  look(): void {
    this.#tell(secondsNow() - this.#told >= tellEvery);
    const { size } = this.#options;
    const pages = this.#journal.pages;
    if (size === undefined) {
      if (this.#journal.isLong) this.#begin(Number.POSITIVE_INFINITY);
      return;
    }
    const isUnknown = pages === undefined || secondsNow() - this.#counted > countEvery;
    if (pages !== undefined) this.#setRoom(Math.floor(size / pageSize) - pages);
    if (isUnknown || this.#journal.isLong || pages * pageSize > size * high) this.#begin(size);
  }

  #setRoom(pages: number): void {
    Atomics.store(this.#words, Word.room, Math.min(Math.max(pages, 0), unlimited - 1));
  }

  /** Appends what was added, and, now and then, what was used. */
  #tell(withUses: boolean): void {
    const records: JournalRecord[] = [];
    const grown = Atomics.exchange(this.#words, Word.grown, 0);
    if (grown !== 0) records.push(growth(grown));
    if (withUses) {
      for (const { name, time } of this.#uses.since(this.#told)) records.push({ name, time, pages: 0 });
      this.#told = secondsNow();
    }
    if (records.length === 0 || !existsSync(this.#shared.directory)) return;
    try {
      this.#journal.append(records);
    } catch (error) {
      if (errnoOf(error) === undefined && !(error instanceof Failure)) throw error;
    }
  }

  #begin(size: number): void {
    if (this.#ended || this.#eviction !== undefined) return;
    this.#eviction = this.#evict(size)
      .catch((error: unknown) =>
        this.#complain(`cannot evict from the cache ${this.#shared.directory}: ${describeError(error)}`),
      )
      .finally(() => {
        this.#eviction = undefined;
      });
  }

  async #evict(size: number): Promise<void> {
    const lock = StateLock.take(this.#directory, 'evict');
    if (lock === undefined) return;
    try {
      this.#tell(true);
      const pages = this.#journal.pages;
      const isFull = pages !== undefined && pages * pageSize > size * high;
      const done = await evict(this.#directory, this.#journal, {
        target: isFull ? size * low : size,
        turn: besideOthers(),
        onProgress: () => lock.renew(),
      });
      this.#counted = secondsNow();
      this.#judge(done, size);
      if (Number.isFinite(size)) this.#setRoom(Math.floor((size - done.after) / pageSize));
    } finally {
      lock.release();
    }
  }

  #judge({ after, kept }: Eviction, size: number): void {
    if (after <= size) this.#complained = false;
    else
      this.#complain(
        `the cache ${this.#shared.directory} has ${after} bytes where ${size} are allowed: ${kept} are pinned or in use`,
      );
  }

  /** Once, until it is as it should be. */
  #complain(line: string): void {
    if (!this.#complained) this.#options.log(line);
    this.#complained = true;
  }
}
