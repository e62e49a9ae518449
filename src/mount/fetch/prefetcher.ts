import { systemClock } from '../../base/clock.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { type FileBlock, fileBlockAt, fileBlockOfPlace } from './block-ranges.ts';

/** Blocks that are remembered for later. */
const mostForLater = 1 << 20;
/** Milliseconds without work after which they are fetched. */
const pauseBefore = 1000;
/** Milliseconds that a pace may be ahead: a timer for each small block would cost more time than the block may take. */
const shortWait = 20;

export interface PrefetcherOptions {
  /** Blocks underway at one time. */
  readonly atOnce: number;
  readonly isKept: (block: FileBlock) => boolean;
  /** Returns false when the block needs no fetch; `onSettled` is then not called. */
  readonly want: (block: FileBlock, onSettled: () => void) => boolean;
  /** Begins what is wanted, as far as there is room. */
  readonly begin: () => void;
}

/** Brings into the cache what nobody waits for: what a list names, at its pace, and what was passed over while there was more to do. */
export class Prefetcher {
  readonly #columns: ManifestColumns;
  readonly #options: PrefetcherOptions;
  readonly #closing = new AbortController();
  /** Places of blocks. */
  readonly #forLater: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(columns: ManifestColumns, options: PrefetcherOptions) {
    this.#columns = columns;
    this.#options = options;
  }

  /** See `Scheduler.prefetch`. */
  async fetch(
    list: Iterable<{ readonly row: number; readonly index: number }>,
    bytesPerSecond = Number.POSITIVE_INFINITY,
  ): Promise<void> {
    const { atOnce, isKept, want, begin } = this.#options;
    const underway = new Set<Promise<void>>();
    let next = performance.now();
    for (const { row, index } of list) {
      const block = fileBlockAt(this.#columns, row, index);
      if (block === undefined || isKept(block)) continue;
      await this.#untilTime(next);
      await this.#untilFewer(underway, atOnce);
      if (this.#closing.signal.aborted) return;
      const settled = new Promise<void>((resolve) => {
        if (!want(block, resolve)) resolve();
      }).finally(() => underway.delete(settled));
      underway.add(settled);
      // Time that was lost to what is more urgent is not made up for.
      next = Math.max(next, performance.now()) + (block.size / bytesPerSecond) * 1000;
      begin();
    }
    await this.#untilFewer(underway, 1);
  }

  /** Fetches the block in a place when nothing else has been to be done for a while. */
  later(place: number): void {
    if (this.#forLater.length >= mostForLater) return;
    this.#forLater.push(place);
    this.#timer ??= setTimeout(() => void this.#fetchPassedOver(), pauseBefore).unref();
  }

  /** There is something else to be done. */
  postpone(): void {
    this.#timer?.refresh();
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  async #fetchPassedOver(): Promise<void> {
    this.#timer = undefined;
    const places = this.#forLater.splice(0);
    await this.fetch(places.map((place) => fileBlockOfPlace(this.#columns, place)));
  }

  async #untilTime(time: number): Promise<void> {
    const wait = time - performance.now();
    if (wait > shortWait) await systemClock.sleep(wait, this.#closing.signal).catch(() => {}); // closed
  }

  /** Waits until fewer than that many are underway. Looks again now and then: memory comes free without a word. */
  async #untilFewer(underway: ReadonlySet<Promise<void>>, limit: number): Promise<void> {
    while (underway.size >= limit && !this.#closing.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, 100);
      await Promise.race([...underway, promise]);
      clearTimeout(timer);
      this.#options.begin();
    }
  }
}
