import type { Worker } from 'node:worker_threads';
import { forEachParallel } from '../../base/parallel.ts';
import { receivedFailure } from '../../base/sent-failure.ts';
import { startThread } from '../../base/small-heap.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { blockAt, isZeroBlock, pathAt, plainSizeAt } from '../manifest/manifest-columns.ts';
import { DirectorySupply } from './block-supply.ts';
import { failureAt } from './failures.ts';
import { type Job, type JobResult, JobRunner } from './job.ts';
import { RemoteBlocks } from './remote-blocks.ts';
import { type FromThread, type ToThread, type UnpackThreadData, unpackThreadRole } from './thread.ts';
import type { UnpackSettings } from './unfinished-files.ts';

/** Where blocks come from: directories that each thread reads by itself, or what the main thread brings. */
export type UnpackBlocks = readonly LocalDirectory[] | RemoteBlocks;

/** Who does the jobs. */
export interface Crew {
  /** Jobs that it is worth to have underway at one time. */
  readonly concurrency: number;
  /** Pieces that it is worth to put into one job. */
  readonly piecesPerJob: number;
  run(job: Job, signal: AbortSignal): Promise<JobResult>;
  close(): Promise<void>;
}

/** Blocks of one job that are fetched at one time. */
const fetchesPerJob = 8;
/** Jobs of one file each, when no thread is worth its start: what counts then is the answer of a store. */
const inlineConcurrency = 32;

/** Starts what runs the jobs of an unpacking: so many threads, or with 0 the thread of the caller. It is to be closed. */
export async function startCrew(
  settings: UnpackSettings,
  blocks: UnpackBlocks,
  threads: number,
): Promise<Crew> {
  if (threads > 0) return new ThreadCrew(settings, blocks, threads);
  const isRemote = blocks instanceof RemoteBlocks;
  const runner = await JobRunner.create(settings, isRemote ? blocks : new DirectorySupply(blocks));
  return {
    concurrency: isRemote ? inlineConcurrency : 1,
    piecesPerJob: isRemote ? 1 : 64,
    run: (job) => runner.run(job),
    close: async () => runner.close(),
  };
}

class ThreadCrew implements Crew {
  readonly concurrency: number;
  readonly piecesPerJob = 256;
  readonly #settings: UnpackSettings;
  readonly #remote: RemoteBlocks | undefined;
  readonly #threads: CrewThread[];

  constructor(settings: UnpackSettings, blocks: UnpackBlocks, threads: number) {
    this.#settings = settings;
    this.#remote = blocks instanceof RemoteBlocks ? blocks : undefined;
    const data: UnpackThreadData = {
      role: unpackThreadRole,
      settings,
      directories: blocks instanceof RemoteBlocks ? undefined : blocks,
      keep: this.#remote?.isCached ?? false,
    };
    this.#threads = Array.from({ length: threads }, () => new CrewThread(data, this.#remote));
    this.concurrency = 2 * threads; // so that a thread that ends a job has the next one
  }

  async run(job: Job, signal: AbortSignal): Promise<JobResult> {
    const thread = this.#threads.reduce((least, other) => (other.jobs < least.jobs ? other : least));
    const done = thread.run(job);
    if (this.#remote === undefined || job.doing === 'verify') return done;
    try {
      await this.#bringBlocks(this.#remote, thread, job, signal);
    } finally {
      await done.catch(() => {}); // what the fetches failed with says more
    }
    return done;
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  /** Sends each block of a job to its thread. After a failure it sends word for the rest, so that the job ends. */
  async #bringBlocks(remote: RemoteBlocks, thread: CrewThread, job: Job, signal: AbortSignal): Promise<void> {
    const { columns } = this.#settings;
    const wanted: { row: number; index: number; place: number }[] = [];
    for (const { row, from, to } of job.pieces)
      for (let index = from; index < to; index++)
        if (!isZeroBlock(columns, row, index))
          wanted.push({ row, index, place: columns.blockStart[row]! + index });
    const sent = new Set<number>();
    try {
      await forEachParallel(wanted, fetchesPerJob, async ({ row, index, place }, failed) => {
        try {
          const either = AbortSignal.any([signal, failed]);
          const size = plainSizeAt(columns, row, index);
          const block = await remote.bring(place, blockAt(columns, place), size, either);
          thread.tell({ type: 'block', place, block });
          sent.add(place);
        } catch (error) {
          throw failureAt('read', pathAt(columns, row), error);
        }
      });
    } finally {
      for (const { place } of wanted) if (!sent.has(place)) thread.tell({ type: 'no block', place });
    }
  }
}

/** One worker, with the jobs it was given. */
class CrewThread {
  readonly #worker: Worker;
  readonly #remote: RemoteBlocks | undefined;
  readonly #jobs = new Map<number, PromiseWithResolvers<JobResult>>();
  readonly #keeping = new Set<Promise<void>>();
  #nextId = 0;

  constructor(workerData: UnpackThreadData, remote: RemoteBlocks | undefined) {
    this.#remote = remote;
    this.#worker = startThread(new URL('./thread.ts', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 4 }, // a job makes little, and most of it is short-lived
    });
    this.#worker.on('message', (message: FromThread) => this.#receive(message));
    this.#worker.on('error', (error) => {
      for (const job of this.#jobs.values()) job.reject(error);
      this.#jobs.clear();
    });
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  async run(job: Job): Promise<JobResult> {
    const id = this.#nextId++;
    const done = Promise.withResolvers<JobResult>();
    this.#jobs.set(id, done);
    this.tell({ type: 'job', id, job });
    const result = await done.promise;
    await Promise.all(this.#keeping);
    return result;
  }

  tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    await Promise.all(this.#keeping);
    await this.#worker.terminate();
  }

  #receive(message: FromThread): void {
    if (message.type === 'keep') {
      const { place, ref, plain } = message;
      const keeping = this.#remote!.keep(place, ref, plain).finally(() => this.#keeping.delete(keeping));
      this.#keeping.add(keeping);
      return;
    }
    const job = this.#jobs.get(message.id)!;
    this.#jobs.delete(message.id);
    if (message.type === 'done') job.resolve(message.result);
    else job.reject(receivedFailure(message.failure));
  }
}
