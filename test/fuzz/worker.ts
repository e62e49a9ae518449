/** Tries cases in a thread, so that one that never ends, or takes all memory, can be ended. */
import { parentPort } from 'node:worker_threads';
import { Failure } from '../../src/base/errors.ts';
import { brokenTargets } from './broken-targets.ts';
import { readCorpus } from './corpus.ts';
import { mutated } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

/** What the worker is to do. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: string;
  /** The first case; the inputs of the corpus as they are come before case 0. */
  readonly first: number;
  readonly milliseconds: number;
  /** An empty one for the cases. */
  readonly directory: string;
  /** At 0 the case that is being tried. */
  readonly progress: Int32Array;
}

/** What came of it. */
export interface FuzzOutcome {
  readonly cases: number;
  readonly values: number;
  readonly failed?: { readonly number: number; readonly input?: Uint8Array; readonly error: string };
}

parentPort!.on('message', async (job: FuzzJob) => parentPort!.postMessage(await work(job)));

async function work({
  target: name,
  seed,
  first,
  milliseconds,
  directory,
  progress,
}: FuzzJob): Promise<FuzzOutcome> {
  const target = [...targets, ...brokenTargets].find((target) => target.name === name)!;
  const corpus = [...(await readCorpus(target.corpus)).values()];
  const end = performance.now() + milliseconds;
  let values = 0;
  let number = first;
  do {
    Atomics.store(progress, 0, number);
    const random = new Random(`${seed} ${name} ${number}`);
    const input = number < 0 ? Buffer.from(corpus.at(number)!) : caseOf(target, corpus, random);
    const given = Buffer.from(input);
    try {
      await target.run(given, random, directory);
      values++;
    } catch (error) {
      if (!(error instanceof Failure)) {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        return { cases: number + 1 - first, values, failed: { number, input, error: text } };
      }
    }
    number++;
  } while (performance.now() < end);
  return { cases: number - first, values };
}

function caseOf(target: Target, corpus: readonly Buffer[], random: Random): Buffer {
  if (target.isMutatedByItself) return Buffer.from(random.pick(corpus));
  const bytes = mutated(corpus, random);
  target.mend?.(bytes);
  return bytes;
}
