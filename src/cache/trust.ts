import { fstatSync, type Stats } from 'node:fs';
import { isTrusted } from './cache-directory.ts';
import { Custody } from './custody.ts';
import { type SharedCache, timesExact, tryTimes, Word } from './shared-cache.ts';
import { type FileState, stateOf, Verified } from './verified.ts';

/** An open file as it was at a moment. */
export interface Look {
  readonly stats: Stats;
  readonly state: FileState;
}

/** Milliseconds within which a second change may leave the times of a file as they are, on the slowest of clocks. */
const clockTick = 20;

/**
 * What of the cache may be believed without a hash: what this process has hashed and nobody has changed since. Files that
 * somebody else could change unseen never belong to it.
 */
export class Trust {
  readonly #verified: Verified;
  readonly #custody: Custody;
  readonly #words: Int32Array;

  constructor(shared: SharedCache) {
    this.#verified = new Verified(shared.verified);
    this.#custody = new Custody(shared.custody);
    this.#words = new Int32Array(shared.words);
  }

  look(descriptor: number): Look {
    const stats = fstatSync(descriptor);
    const state = stateOf(stats);
    return { stats, state: this.#isExact() ? this.#custody.watched(state) : state };
  }

  /** Whether the block at a place was found to have a key, in the state that the file is in. */
  isRight(key: string, index: number, { state }: Look): boolean {
    return this.#verified.has(key, index, state);
  }

  /** Remembers that the block at a place has a key. @returns whether that could be remembered. */
  setRight(key: string, index: number, { stats, state }: Look): boolean {
    if (!isTrusted(stats) || !(this.#isExact() || Date.now() - stats.ctimeMs > clockTick)) return false;
    this.#verified.add(key, index, state);
    return true;
  }

  /** Forgets that it was right: it has changed without a trace, as on a disk that is failing. */
  setWrong(key: string, index: number, { state }: Look): void {
    this.#verified.delete(key, index, state);
  }

  /** Changes an open file, so that what was right in it stays so. */
  change(descriptor: number, write: () => void): Look {
    if (!this.#isExact()) {
      write();
      return this.look(descriptor);
    }
    const state = this.#custody.change(descriptor, write);
    return { stats: fstatSync(descriptor), state };
  }

  /** To be called when there is a directory to write to: finds out how exact its times are. */
  tryTimes(directory: string): void {
    tryTimes(directory, this.#words);
  }

  #isExact(): boolean {
    return Atomics.load(this.#words, Word.times) === timesExact;
  }
}
