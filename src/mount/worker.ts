/**
 * The thread that serves a mount: names, attributes and cached blocks; it hands the rest to the thread that started it.
 * Importing this module in a worker with the data of a mount starts it; anywhere else it does nothing.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../base/errors.ts';
import { BlockFiles } from '../cache/block-files.ts';
import { blockKey, initBlockCodec } from '../flist/block-codec.ts';
import { OpenFiles } from '../fuse/open-files.ts';
import { serve } from '../fuse/session.ts';
import { type BlockRange, FlistFilesystem } from './filesystem.ts';
import { InodeTable } from './inode-table.ts';
import { type MountMessage, type MountWorkerData, mountWorkerRole } from './messages.ts';
import { TraceRecorder } from './trace-notes.ts';

if (!isMainThread && (workerData as MountWorkerData | null)?.role === mountWorkerRole)
  void serveMount(workerData as MountWorkerData);

async function serveMount(data: MountWorkerData): Promise<void> {
  await initBlockCodec();
  const files = new BlockFiles(data.cache, blockKey);
  const blocks = {
    readCached: (target: Uint8Array, { block, start }: BlockRange) => files.readInto(target, block, start),
    fetch: (unique: bigint, ranges: readonly BlockRange[]) => tell({ type: 'fetch', unique, ranges }),
  };
  const trace = data.trace && new TraceRecorder(data.trace, data.inodes);
  const table = new InodeTable(data.inodes);
  const filesystem = new FlistFilesystem(table, blocks, { trace });
  tell({ type: 'ready' });
  serve(data.device, filesystem, {
    givenUp: data.givenUp,
    wanted: table.hasAcls ? ['posixAcl'] : [],
    onStart: (session) => tell({ type: 'started', session }),
    ...(data.openFiles !== undefined && { openFiles: new OpenFiles(data.openFiles) }),
    ...(data.takeOver && { takeOver: data.takeOver }),
    onError: (error) => tell({ type: 'log', line: `a request failed: ${describeError(error)}` }),
  });
}

function tell(message: MountMessage): void {
  parentPort!.postMessage(message);
}
