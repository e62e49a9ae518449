import { closeSync, constants, openSync, statSync, unlinkSync, utimesSync, writeSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { type CacheDirectory, openPlainly } from './cache-directory.ts';
import { quiet } from './cache-files.ts';

const shard = ['state', 'locks'] as const;

/** Milliseconds after which a lock that nobody renews is nobody's. */
const longestSilence = 60_000;

/**
 * A lock among the processes that use a cache, for work that one of them is enough for. Nothing goes wrong when two have it, as
 * may be when one of them was asleep: that work is then done twice.
 */
export class StateLock {
  readonly #path: (directory: string) => string;
  readonly #directory: CacheDirectory;

  private constructor(directory: CacheDirectory, name: string) {
    this.#directory = directory;
    this.#path = (path) => `${path}/${name}`;
  }

  /** Takes a lock; undefined when another process has it. @throws what the system says. */
  static take(directory: CacheDirectory, name: string): StateLock | undefined {
    const lock = new StateLock(directory, name);
    return directory.within(shard, true, (path) => (lock.#create(path) ? lock : undefined));
  }

  /** To be called at least every half minute. */
  renew(): void {
    const now = new Date();
    quiet(() => this.#directory.within(shard, false, (path) => utimesSync(this.#path(path), now, now)));
  }

  release(): void {
    quiet(() => this.#directory.within(shard, false, (path) => unlinkSync(this.#path(path))));
  }

  #create(path: string): boolean {
    const place = this.#path(path);
    const since = quiet(() => statSync(place))?.mtimeMs;
    if (since !== undefined && Math.abs(Date.now() - since) > longestSilence) quiet(() => unlinkSync(place));
    try {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | openPlainly;
      const file = openSync(place, flags, 0o644);
      quiet(() => writeSync(file, `${process.pid}\n`));
      closeSync(file);
      return true;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      return false;
    }
  }
}
