/** A thread of `BlockCheckers`, or of `checkDirectory`. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { sentFailure } from '../../base/sent-failure.ts';
import {
  type DirectoryCheckAnswer,
  DirectoryChecker,
  type DirectoryCheckJob,
  directoryCheckRole,
} from '../directory-check.ts';
import { checkBlock } from './block-check.ts';
import { blockCheckRole, type CheckRequest } from './block-checkers.ts';
import { initBlockCodec } from './block-codec.ts';

if (!isMainThread && workerData?.role === blockCheckRole) void checkBlocks();
else if (!isMainThread && workerData?.role === directoryCheckRole) void checkDirectories();

async function checkBlocks(): Promise<void> {
  await initBlockCodec();
  parentPort!.on('message', ({ blob, ref, size }: CheckRequest) => {
    parentPort!.postMessage(checkBlock(blob, ref, size));
  });
}

async function checkDirectories(): Promise<void> {
  const checker = await DirectoryChecker.create(workerData);
  parentPort!.on('message', (job: DirectoryCheckJob) => parentPort!.postMessage(answerOf(checker, job)));
}

function answerOf(checker: DirectoryChecker, job: DirectoryCheckJob): DirectoryCheckAnswer {
  try {
    return { states: checker.check(job) };
  } catch (error) {
    return { failure: sentFailure(error) };
  }
}
