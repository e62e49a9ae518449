/** The thread that reads files and encodes blocks for a pack; `JobPool` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { sentFailure } from '../../base/sent-failure.ts';
import type { PackJob } from './job.ts';
import { JobRunner, type JobRunnerOptions } from './job-runner.ts';
import type { WorkerAnswer } from './messages.ts';

void JobRunner.create(workerData as JobRunnerOptions).then((runner) => {
  parentPort!.on('message', (job: PackJob) => {
    const { answer, transfer } = done(runner, job);
    parentPort!.postMessage(answer, transfer);
  });
});

function done(runner: JobRunner, job: PackJob): { answer: WorkerAnswer; transfer: ArrayBuffer[] } {
  try {
    const result = runner.run(job);
    const blobs = result.added.flatMap(({ blob }) => (blob === undefined ? [] : [blob.buffer]));
    return { answer: { result }, transfer: [result.places.buffer, ...blobs] };
  } catch (error) {
    return { answer: { failure: sentFailure(error) }, transfer: [] };
  }
}
