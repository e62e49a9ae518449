import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { FuzzJob, FuzzOutcome } from './worker.ts';

export interface FuzzLimits {
  /** Milliseconds; far more than any case takes, also on a machine that does other things. */
  readonly longestCase: number;
  /** Bytes that the process may grow by. */
  readonly memory: number;
}

export const usualLimits: FuzzLimits = { longestCase: 60_000, memory: 768 << 20 };

/** In memory where there is such a place, because flists are synced to disk. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

let worker: Worker | undefined;

/**
 * Tries cases in a thread of their own.
 * @returns what came of it; a case that does not end, or takes too much memory, has failed without an input
 */
export async function fuzz(
  job: Omit<FuzzJob, 'progress' | 'directory'>,
  { longestCase, memory }: FuzzLimits = usualLimits,
): Promise<FuzzOutcome> {
  const directory = await mkdtemp(join(scratch, 'fuzz-'));
  const progress = new Int32Array(new SharedArrayBuffer(4));
  worker ??= new Worker(new URL('./worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  const thread = worker;
  const ended = new AbortController();
  const before = process.memoryUsage.rss();
  let [at, since] = [0, performance.now()];
  const watch = setInterval(() => {
    if (at !== progress[0]) [at, since] = [progress[0]!, performance.now()];
    if (performance.now() - since > longestCase) ended.abort('it does not end');
    if (process.memoryUsage.rss() - before > memory) ended.abort('it takes too much memory');
  }, 20);
  try {
    thread.postMessage({ ...job, directory, progress });
    // Rejects too for a thread that ends of an error, such as one of memory.
    const [outcome] = await once(thread, 'message', { signal: ended.signal });
    return outcome as FuzzOutcome;
  } catch (error) {
    await endFuzzing();
    const number = progress[0]!;
    const why = ended.signal.aborted ? `${ended.signal.reason}` : `it ends the thread: ${error}`;
    return { cases: number - job.first, values: 0, failed: { number, error: why } };
  } finally {
    clearInterval(watch);
    await rm(directory, { recursive: true });
  }
}

/** Ends the thread. */
export async function endFuzzing(): Promise<void> {
  const thread = worker;
  worker = undefined;
  await thread?.terminate();
}
