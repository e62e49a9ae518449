import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { Failure } from '../../base/errors.ts';
import { receivedFailure } from '../../base/sent-failure.ts';
import { startThread } from '../../base/small-heap.ts';
import { blockThreads } from '../../base/threads.ts';
import { BlockTable } from './block-table.ts';
import type { JobResult, PackJob } from './job.ts';
import { JobRunner, type JobRunnerOptions } from './job-runner.ts';
import type { WorkerAnswer } from './messages.ts';

/** A job, and what becomes of its result. */
export interface Task extends PackJob {
  /** The thread gets no further job before this has ended. */
  readonly onResult: (result: JobResult) => Promise<void>;
  readonly onFailure: (reason: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  /** What it was sent and has not answered, in order. */
  readonly underway: Task[];
}

/** While a thread does one job, the next one waits with it. */
const jobsPerThread = 2;
/**
 * Bytes that the process may have in use when threads have started, and what one takes. A million files take some 170 MB more while they are
 * packed, and 400 MB are enough for all; where a tree or an earlier flist is in memory already, fewer threads are started.
 */
const mostMemory = 270e6;
const memoryOfThread = 30e6;

/**
 * Does jobs in as many threads as there are cores and memory for. This thread is one of them whenever it would wait, unless blocks come back to
 * it: then it has to be there for the store. Others are started when there is more than one job.
 */
export class JobPool {
  readonly #options: JobRunnerOptions;
  readonly #table: BlockTable;
  readonly #threadCount: number | undefined;
  readonly #threads: Thread[] = [];
  readonly #queue: Task[] = [];
  /** Does jobs here. */
  #runner: JobRunner | undefined;

  /** @param threadCount as many as `blockThreads` says by default, which are fewer when many blocks take memory */
  constructor(options: JobRunnerOptions, threadCount?: number) {
    this.#options = options;
    this.#table = new BlockTable(options.blocks);
    this.#threadCount = threadCount;
  }

  /** Jobs that no thread has yet. */
  get queued(): number {
    return this.#queue.length;
  }

  add(task: Task): void {
    this.#queue.push(task);
    if (this.#threads.length === 0 && this.#queue.length > 1) this.#start();
    this.#dispatch();
  }

  /** To be called instead of waiting. @returns whether a job was done here */
  async help(): Promise<boolean> {
    if (this.#threads.length > 0 && this.#options.directory === undefined) return false;
    if (this.#queue.length === 0) return false;
    this.#runner ??= await JobRunner.create(this.#options);
    const task = this.#queue.shift();
    if (task === undefined) return false;
    try {
      await task.onResult(this.#runner.run(task));
    } catch (error) {
      task.onFailure(error);
    }
    await setImmediate(); // the threads and the store get their turn
    return true;
  }

  /** Gives up the jobs that no thread has begun, waits for the others, and ends the threads. */
  async close(): Promise<void> {
    this.#queue.length = 0;
    await Promise.all(
      this.#threads.map(async ({ worker, underway }) => {
        while (underway.length > 0)
          await new Promise((answered) => worker.once('message', answered).once('error', answered));
        await worker.terminate();
      }),
    );
  }

  #start(): void {
    const room = Math.floor((mostMemory - process.memoryUsage.rss()) / memoryOfThread);
    const count =
      this.#threadCount === undefined ? Math.min(this.#mostThreads, Math.max(room, 1)) : this.#mostThreads;
    for (let i = 0; i < count; i++) this.#threads.push(this.#newThread());
  }

  get #mostThreads(): number {
    const count = this.#threadCount ?? blockThreads(this.#table.size);
    return this.#options.directory === undefined ? count : count - 1;
  }

  /** Ends threads that are too many by now, when they have done what they were sent. */
  #endSpareThreads(): void {
    while (this.#threads.length > this.#mostThreads && this.#threads.at(-1)!.underway.length === 0)
      void this.#threads.pop()!.worker.terminate();
  }

  #newThread(): Thread {
    const worker = startThread(new URL('./worker.ts', import.meta.url), {
      workerData: this.#options,
      // Little in it lives longer than a block; without a limit it grows to 34 MB a thread.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const thread: Thread = { worker, underway: [] };
    worker.on('message', async (answer: WorkerAnswer) => {
      const task = thread.underway.shift()!;
      if ('result' in answer) await task.onResult(answer.result);
      else task.onFailure(receivedFailure(answer.failure));
      this.#dispatch();
    });
    worker.on('error', (cause) => {
      const failure = new Failure('failed', 'a thread that packs broke down', { cause });
      for (const { onFailure } of thread.underway.splice(0)) onFailure(failure);
    });
    return thread;
  }

  #dispatch(): void {
    this.#endSpareThreads();
    const threads = this.#threads.slice(0, this.#mostThreads);
    for (let load = 0; load < jobsPerThread; load++)
      for (const { worker, underway } of threads) {
        if (this.#queue.length === 0) return;
        if (underway.length > load) continue;
        const task = this.#queue.shift()!;
        underway.push(task);
        const { pieces } = task;
        worker.postMessage({ pieces }, transferred(task));
      }
  }
}

function transferred({ pieces }: PackJob): ArrayBuffer[] {
  return pieces.flatMap((piece) => ('bytes' in piece ? [piece.bytes.buffer] : []));
}
