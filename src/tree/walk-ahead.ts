import { Worker } from 'node:worker_threads';
import { Failure } from '../base/errors.ts';
import { receivedFailure, type SentFailure } from '../base/sent-failure.ts';
import type { Entry } from './tree.ts';
import { foundIn, type WalkBatch } from './walk-batch.ts';
import { entryOf, type WalkOptions } from './walk-directory.ts';

export const walkThreadRole = 'walk';

/** What the thread is asked. */
export interface WalkRequest extends Pick<WalkOptions, 'exclude' | 'oneFileSystem'> {
  readonly role: typeof walkThreadRole;
  readonly directory: string;
  readonly batchSize: number;
  /** Batches that it may be ahead. */
  readonly mostBatches: number;
  /** One number in shared memory: how many batches were taken. */
  readonly taken: Int32Array;
}

/** What it says, again and again. */
export interface WalkNews {
  readonly batch: WalkBatch;
  readonly problems: readonly (readonly [path: string, failure: SentFailure])[];
  /** Of the last one: what ended the walk before it was through, if anything did. */
  readonly end?: { readonly failure: SentFailure | undefined };
}

export interface WalkAheadOptions extends WalkOptions {
  /** Entries that the thread may be ahead; 131,072 by default, some 20 MB. */
  readonly mostAhead?: number;
}

const mostBatches = 256;

/** `walkDirectory` by a thread of its own, which begins at once. */
export class WalkAhead {
  readonly #directory: string;
  readonly #onProblem: WalkOptions['onProblem'];
  readonly #worker: Worker;
  readonly #taken = new Int32Array(new SharedArrayBuffer(4));
  readonly #news: WalkNews[] = [];
  #failure: Failure | undefined;
  #wake = () => {};

  constructor(
    directory: string,
    { exclude, oneFileSystem, onProblem, mostAhead = 131_072 }: WalkAheadOptions = {},
  ) {
    this.#directory = directory;
    this.#onProblem = onProblem;
    const batchSize = Math.ceil(mostAhead / mostBatches);
    const workerData: WalkRequest = {
      role: walkThreadRole,
      ...{ directory, exclude, oneFileSystem, batchSize, mostBatches, taken: this.#taken },
    };
    this.#worker = new Worker(new URL('./walk-thread.ts', import.meta.url), { workerData });
    this.#worker.on('message', (news: WalkNews) => {
      this.#news.push(news);
      this.#wake();
    });
    this.#worker.on('error', (cause) => {
      this.#failure = new Failure('failed', `the thread that walks through ${directory} broke down`, {
        cause,
      });
      this.#wake();
    });
  }

  /** The entries, some at a time, once. @throws Failure as `walkDirectory` */
  async *batches(): AsyncGenerator<Iterable<readonly [path: string, entry: Entry]>> {
    for (;;) {
      const { batch, problems, end } = await this.#next();
      for (const [path, failure] of problems) this.#take(path, receivedFailure(failure));
      yield this.#entries(batch);
      if (end?.failure) throw receivedFailure(end.failure);
      if (end) return;
    }
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  async #next(): Promise<WalkNews> {
    for (;;) {
      const news = this.#news.shift();
      if (news !== undefined) {
        Atomics.add(this.#taken, 0, 1);
        Atomics.notify(this.#taken, 0);
        return news;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  #take(path: string, failure: Failure): void {
    if (this.#onProblem === undefined) throw failure;
    this.#onProblem(path, failure);
  }

  *#entries(batch: WalkBatch): Generator<readonly [path: string, entry: Entry]> {
    for (const found of foundIn(batch)) yield [found.path, entryOf(this.#directory, found)];
  }
}
