/**
 * What a mount counts, in one piece of shared memory. Each thread has a row of its own, so that counting is one addition
 * without a lock; who looks adds the rows up.
 */

/** Everything that is counted. Sizes are in bytes. */
export const counters = [
  /** Requests of the kernel, by kind. */
  'lookup',
  'getattr',
  'readlink',
  'readdir',
  'statfs',
  'statx',
  'xattr',
  'lseek',
  'open',
  'release',
  'read',
  'other',
  /** READ requests by what gave the bytes: blocks in memory, cached files, or blocks that had to come first. */
  'readsFromMemory',
  'readsFromCache',
  'readsWaited',
  /** READ requests that ended with an error, those of them that say that the store did not answer, and those that were given up. */
  'readsFailed',
  'readsLate',
  'readsInterrupted',
  'bytesRead',
  /** Blocks that came from a store, by why: a read waited for them, a reader is about to want them, a list names them. */
  'blocksAsked',
  'blocksAhead',
  'blocksPrefetched',
  /** Blocks that were wanted ahead and found in the cache. */
  'blocksCached',
  /** Blocks that nobody could give. */
  'blocksFailed',
  /** Of the blocks fetched ahead: those that were read later from memory, and those that left memory before. */
  'aheadUsed',
  'aheadUnused',
  /** Blocks that left memory for others. */
  'memoryEvictions',
  /** Plain bytes of all blocks that came from stores, and of those put into the cache. */
  'plainBytes',
  'keptBytes',
] as const;
export type Counter = (typeof counters)[number];

const requestCounters: Readonly<Record<string, Counter>> = {
  lookup: 'lookup',
  getattr: 'getattr',
  readlink: 'readlink',
  readdir: 'readdir',
  readdirplus: 'readdir',
  statfs: 'statfs',
  statx: 'statx',
  getxattr: 'xattr',
  listxattr: 'xattr',
  lseek: 'lseek',
  open: 'open',
  release: 'release',
  read: 'read',
};

/** Counts a request by its kind, as `fuse/request.ts` names it. */
export function countRequest(counter: ThreadCounter, kind: string): void {
  counter.add(requestCounters[kind] ?? 'other');
}

/** What is measured in time: a READ that is answered at once, one that had to wait, and making a stored block plain. */
export const latencies = ['readAtOnce', 'readWaited', 'decode'] as const;
export type Latency = (typeof latencies)[number];

/** What is counted of each store. Bytes are those that are stored. */
export const storeCounters = ['blocks', 'bytes', 'failures'] as const;
export type StoreCounter = (typeof storeCounters)[number];

/** Classes of a histogram: class `i` counts what took less than 2^i microseconds, the last one everything longer. */
export const histogramClasses = 26;

/** Stores with figures of their own; the last of them takes those of all that come after. */
const mostStores = 16;
/** Threads that count: the main thread, the serving thread, and threads that decode. */
const mostThreads = 16;

const latencyStart = counters.length;
/** The classes, and the sum of the milliseconds. */
const histogramWidth = histogramClasses + 1;
const storeStart = latencyStart + latencies.length * histogramWidth;
const storeWidth = storeCounters.length + histogramWidth;
const rowWidth = storeStart + mostStores * storeWidth;

const counterPlace = Object.fromEntries(counters.map((name, place) => [name, place])) as Record<
  Counter,
  number
>;
const latencyPlace = Object.fromEntries(
  latencies.map((name, index) => [name, latencyStart + index * histogramWidth]),
) as Record<Latency, number>;

/** What crosses threads: the memory and the addresses of the stores. */
export interface SharedStatistics {
  readonly memory: SharedArrayBuffer;
  readonly stores: readonly string[];
}

/** How long things took. */
export interface Histogram {
  /** `histogramClasses` of them. */
  readonly classes: readonly number[];
  /** All of them together. */
  readonly milliseconds: number;
}

/** Figures of one store. */
export type StoreSnapshot = { readonly address: string; readonly latency: Histogram } & {
  readonly [Name in StoreCounter]: number;
};

/** All figures at one moment; plain, so that it can be written as JSON. */
export interface StatisticsSnapshot {
  readonly counters: Readonly<Record<Counter, number>>;
  readonly latencies: Readonly<Record<Latency, Histogram>>;
  readonly stores: readonly StoreSnapshot[];
}

export class Statistics {
  readonly shared: SharedStatistics;
  readonly #figures: Float64Array;

  constructor(shared: SharedStatistics) {
    this.shared = shared;
    this.#figures = new Float64Array(shared.memory);
  }

  /** @param stores the addresses of the stores whose figures are kept apart, without secrets */
  static create(stores: readonly string[]): Statistics {
    return new Statistics({ memory: new SharedArrayBuffer(mostThreads * rowWidth * 8), stores });
  }

  /** What a thread counts with. @param thread 0 the main thread, 1 the serving one, 2 and more those that decode */
  counter(thread: number): ThreadCounter {
    return new ThreadCounter(this.#figures.subarray(thread * rowWidth, (thread + 1) * rowWidth));
  }

  snapshot(): StatisticsSnapshot {
    const sums = new Float64Array(rowWidth);
    for (let thread = 0; thread < mostThreads; thread++)
      for (let i = 0; i < rowWidth; i++) sums[i]! += this.#figures[thread * rowWidth + i]!;
    const histogram = (start: number): Histogram => ({
      classes: [...sums.subarray(start, start + histogramClasses)],
      milliseconds: sums[start + histogramClasses]!,
    });
    return {
      counters: Object.fromEntries(counters.map((name) => [name, sums[counterPlace[name]]!])) as Record<
        Counter,
        number
      >,
      latencies: Object.fromEntries(
        latencies.map((name) => [name, histogram(latencyPlace[name])]),
      ) as unknown as Record<Latency, Histogram>,
      stores: this.shared.stores.slice(0, mostStores).map((address, index) => {
        const start = storeStart + index * storeWidth;
        const [blocks, bytes, failures] = [sums[start]!, sums[start + 1]!, sums[start + 2]!];
        return { address, blocks, bytes, failures, latency: histogram(start + storeCounters.length) };
      }),
    };
  }
}

/** The row of one thread. */
export class ThreadCounter {
  readonly #row: Float64Array;

  constructor(row: Float64Array) {
    this.#row = row;
  }

  add(name: Counter, amount = 1): void {
    this.#row[counterPlace[name]]! += amount;
  }

  /** @param milliseconds how long it took */
  took(name: Latency, milliseconds: number): void {
    this.#took(latencyPlace[name], milliseconds);
  }

  /** A store gave a block. @param store its place among the stores */
  storeGave(store: number, bytes: number, milliseconds: number): void {
    const start = storePlace(store);
    this.#row[start]! += 1;
    this.#row[start + 1]! += bytes;
    this.#took(start + storeCounters.length, milliseconds);
  }

  /** A store had no block to give, or a bad one. */
  storeFailed(store: number): void {
    this.#row[storePlace(store) + 2]! += 1;
  }

  #took(histogram: number, milliseconds: number): void {
    this.#row[histogram + classOf(milliseconds)]! += 1;
    this.#row[histogram + histogramClasses]! += Math.max(milliseconds, 0);
  }
}

function storePlace(store: number): number {
  return storeStart + Math.min(store, mostStores - 1) * storeWidth;
}

/** The class of a duration: the number of binary digits of its whole microseconds. */
function classOf(milliseconds: number): number {
  const microseconds = Math.max(0, Math.min(milliseconds * 1000, 2 ** 31));
  return Math.min(32 - Math.clz32(microseconds), histogramClasses - 1);
}
