/** The thread of `WalkAhead`. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { type SentFailure, sentFailure } from '../base/sent-failure.ts';
import { type WalkNews, type WalkRequest, walkThreadRole } from './walk-ahead.ts';
import { batchOf } from './walk-batch.ts';
import { type Found, findBelow } from './walk-directory.ts';

if (!isMainThread && (workerData as WalkRequest | null)?.role === walkThreadRole)
  walk(workerData as WalkRequest);

function walk(request: WalkRequest): void {
  const { directory, exclude, oneFileSystem, batchSize, mostBatches, taken } = request;
  let problems: [path: string, failure: SentFailure][] = [];
  let sent = 0;
  const send = (found: readonly Found[], end?: WalkNews['end']) => {
    const batch = batchOf(found);
    parentPort!.postMessage({ batch, problems, ...(end && { end }) } satisfies WalkNews, [
      batch.numbers.buffer,
      batch.bigNumbers.buffer,
    ]);
    problems = [];
    sent++;
    for (let count = taken[0]!; sent - count >= mostBatches; count = taken[0]!) Atomics.wait(taken, 0, count);
  };
  let found: Found[] = [];
  try {
    const onProblem = (path: string, failure: unknown) => void problems.push([path, sentFailure(failure)]);
    for (const one of findBelow(directory, { exclude, oneFileSystem, onProblem })) {
      found.push(one);
      if (found.length < batchSize) continue;
      send(found);
      found = [];
    }
    send(found, { failure: undefined });
  } catch (error) {
    send(found, { failure: sentFailure(error) });
  }
}
