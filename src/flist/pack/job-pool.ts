import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Failure } from '../../base/errors.ts';
import { receivedFailure } from '../../base/sent-failure.ts';
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
/** More would wait for the one thread that walks and writes the rows. */
const mostThreads = 16;

/**
 * Does jobs in as many threads as there are cores. They are started when there is more than one job: a small tree is packed
 * before a thread would have begun.
 */
export class JobPool {
  readonly #options: JobRunnerOptions;
  readonly #threadCount: number;
  readonly #threads: Thread[] = [];
  readonly #queue: Task[] = [];
  /** Does the jobs here when there are no threads. */
  #runner: JobRunner | undefined;
  #isStarted = false;

  constructor(options: JobRunnerOptions, threadCount = Math.min(availableParallelism(), mostThreads)) {
    this.#options = options;
    this.#threadCount = threadCount;
  }

  /** Jobs that no thread has yet. */
  get queued(): number {
    return this.#queue.length;
  }

  add(task: Task): void {
    this.#queue.push(task);
    if (this.#runner !== undefined) void this.#runHere(this.#runner);
    else if (this.#queue.length > 1) this.start();
    this.#dispatch();
  }

  /** Starts the threads, also for one job. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    for (let i = 0; i < this.#threadCount; i++) this.#threads.push(this.#newThread());
    this.#dispatch();
  }

  /** To be called when there will be no further job but for files that are read again. */
  async finish(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#runner = await JobRunner.create(this.#options);
    await this.#runHere(this.#runner);
  }

  /** Gives up the jobs that no thread has begun, waits for the others, and ends the threads. */
  async close(): Promise<void> {
    this.#queue.length = 0;
    for (const { worker, underway } of this.#threads) {
      while (underway.length > 0)
        await new Promise((answered) => worker.once('message', answered).once('error', answered));
      await worker.terminate();
    }
  }

  async #runHere(runner: JobRunner): Promise<void> {
    for (let task = this.#queue.shift(); task !== undefined; task = this.#queue.shift()) {
      try {
        await task.onResult(runner.run(task));
      } catch (error) {
        task.onFailure(error);
      }
    }
  }

  #newThread(): Thread {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
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
    for (let load = 0; load < jobsPerThread; load++)
      for (const { worker, underway } of this.#threads) {
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
