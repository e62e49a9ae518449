import { setImmediate } from 'node:timers/promises';
import type { FileCache, HeldFile, OpenedWhole } from '../cache/file-cache.ts';
import { PlainFiles } from '../cache/plain-file-at.ts';
import type { ManifestColumns } from '../flist/manifest/manifest-columns.ts';
import type { WholeFiles } from './file-opener.ts';
import { leastPassedThrough } from './io-mode.ts';

/** The files of a manifest that lie whole in the cache, for the thread that serves. */
export class CachedFiles implements WholeFiles {
  readonly #sizes: ManifestColumns['size'];
  readonly #files: PlainFiles;
  readonly #cache: FileCache;
  readonly #prepare: (row: number) => void;

  /** @param prepare hands the row of a file over to a `FilePreparer` */
  constructor(columns: ManifestColumns, cache: FileCache, prepare: (row: number) => void) {
    this.#sizes = columns.size;
    this.#files = new PlainFiles(columns);
    this.#cache = cache;
    this.#prepare = prepare;
  }

  isLarge(node: number): boolean {
    return this.#sizes[node - 1]! >= leastPassedThrough;
  }

  open(node: number): OpenedWhole | undefined {
    return this.#cache.openWhole(this.#files.at(node - 1));
  }

  hold(node: number): HeldFile {
    return this.#cache.hold(this.#files.at(node - 1));
  }

  prepare(node: number): void {
    this.#prepare(node - 1);
  }
}

/** Milliseconds before the same file is looked at again. */
const pause = 2000;

/**
 * Makes files whole that are in the cache in parts, and hashes large ones, so that they can be opened whole the next time: one after
 * the other, a block at a time, between what else a thread has to do.
 */
export class FilePreparer {
  readonly #files: PlainFiles;
  readonly #cache: FileCache;
  /** When each file was looked at, in milliseconds of the process. */
  readonly #looked = new Map<number, number>();
  readonly #waiting = new Set<number>();
  #isRunning = false;
  #isClosed = false;

  constructor(columns: ManifestColumns, cache: FileCache) {
    this.#files = new PlainFiles(columns);
    this.#cache = cache;
  }

  /** The file in a row is wanted whole. What goes wrong with it leaves it as it is. */
  prepare(row: number): void {
    if (performance.now() - (this.#looked.get(row) ?? -pause) < pause) return;
    this.#waiting.add(row);
    if (!this.#isRunning) void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.#cache.close();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (const row of this.#waiting) {
      const steps = this.#cache.prepareWhole(this.#files.at(row));
      while (!this.#isClosed && !steps.next().done) await setImmediate();
      this.#waiting.delete(row);
      this.#looked.set(row, performance.now());
      if (this.#isClosed) break;
    }
    this.#isRunning = false;
  }
}
