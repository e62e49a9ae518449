/** A thread of `BlockCheckers`. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { checkBlock } from './block-check.ts';
import { blockCheckRole, type CheckRequest } from './block-checkers.ts';
import { initBlockCodec } from './block-codec.ts';

if (!isMainThread && workerData?.role === blockCheckRole) {
  await initBlockCodec();
  parentPort!.on('message', ({ blob, ref, size }: CheckRequest) => {
    parentPort!.postMessage(checkBlock(blob, ref, size));
  });
}
