/**
 * Changed inputs of every kind end in a value or in a typed failure, in bounded time and memory. `FUZZ_SECONDS` is how long all
 * of it takes; `FUZZ_SEED` and `FUZZ_CASE` repeat what a failure names.
 */
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { readCorpus } from '../fuzz/corpus.ts';
import { targets } from '../fuzz/targets.ts';
import type { FuzzJob, FuzzOutcome } from '../fuzz/worker.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 30);
const seed = process.env['FUZZ_SEED'] ?? `${Date.now()}`;
const single = process.env['FUZZ_CASE'];
/** Far more than any case takes, also on a machine that does other things. */
const longestCase = 60_000;
const mostMemory = 768 << 20;

const shares = targets.reduce((sum, { share = 1 }) => sum + share, 0);
let worker: Worker | undefined;

afterAll(() => void worker?.terminate());

describe(`with the seed ${seed}`, () => {
  test.each(targets.map(({ name }) => name))('%s end in a value or a typed failure', {
    timeout: seconds * 1000 + 2 * longestCase,
  }, async (name) => {
    const { corpus, share = 1 } = targets.find((target) => target.name === name)!;
    const inputs = (await readCorpus(corpus)).size;
    const first = single === undefined ? -inputs : Number(single);
    const milliseconds = single === undefined ? (seconds * 1000 * share) / shares : 0;
    const { cases, values, failed } = await fuzz({ target: name, seed, first, milliseconds });
    if (failed !== undefined) {
      const file = join(await mkdtemp(join(tmpdir(), 'fuzz-')), 'input');
      await writeFile(file, failed.input);
      throw new Error(`${repeat(name, failed.number)}; its input is in ${file}:\n${failed.error}`);
    }
    if (single === undefined) expect({ cases, values }).toMatchObject(expectedOf(inputs));
    console.log(`${name}: ${cases} cases, of which ${values} have a value`);
  });
});

/** More than the corpus was tried, and something of it is as it should be. */
function expectedOf(inputs: number) {
  return {
    cases: expect.toSatisfy((cases) => cases > inputs),
    values: expect.toSatisfy((values) => values > 0),
  };
}

function repeat(name: string, number: number): string {
  return `FUZZ_SEED=${seed} FUZZ_CASE=${number} npm run test:unit -- test/unit/fuzz -t '${name}'`;
}

async function fuzz(job: Omit<FuzzJob, 'progress'>): Promise<FuzzOutcome> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  worker ??= new Worker(new URL('../fuzz/worker.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 512 },
  });
  const thread = worker;
  const ended = new AbortController();
  const before = process.memoryUsage.rss();
  let [at, since] = [0, performance.now()];
  const watch = setInterval(() => {
    if (at !== progress[0]) [at, since] = [progress[0]!, performance.now()];
    if (performance.now() - since > longestCase) ended.abort('does not end');
    if (process.memoryUsage.rss() - before > mostMemory) ended.abort('takes too much memory');
  }, 20);
  try {
    thread.postMessage({ ...job, progress });
    // Rejects too for a thread that ends of an error, such as one of memory.
    const [outcome] = await once(thread, 'message', { signal: ended.signal });
    return outcome as FuzzOutcome;
  } catch (error) {
    worker = undefined;
    await thread.terminate();
    const why = ended.signal.aborted ? ended.signal.reason : `ends the thread: ${error}`;
    throw new Error(`${repeat(job.target, progress[0]!)} ${why}`);
  } finally {
    clearInterval(watch);
  }
}
