/**
 * The threads of a mount. The one that serves it answers with names, attributes and what is here; it hands the rest to the
 * thread that started it. Others make blocks plain. Importing this module in a worker with the data of either starts it;
 * anywhere else it does nothing.
 */
import { once } from 'node:events';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../base/errors.ts';
import { collectGarbage, soonCollectGarbage } from '../base/garbage.ts';
import { FileCache } from '../cache/file-cache.ts';
import { initBlockHash } from '../flist/block/block-codec.ts';
import { sendReply } from '../fuse/device.ts';
import type { OptionalFeature } from '../fuse/negotiate.ts';
import { OpenFiles } from '../fuse/open-files.ts';
import { RequestLog } from '../fuse/request-log.ts';
import { serve } from '../fuse/session.ts';
import { BlockKeeper } from './fetch/block-keeper.ts';
import { BlockMemory } from './fetch/block-memory.ts';
import { type BlockThreadData, blockThreadRole, runBlockThread } from './fetch/block-thread.ts';
import { FileReader } from './fetch/file-reader.ts';
import { FileStores } from './fetch/file-stores.ts';
import { cachedOpener, type FileOpener, PassthroughOpener } from './file-opener.ts';
import { FlistFilesystem } from './filesystem.ts';
import { FlistXattrs } from './flist-xattrs.ts';
import { InodeTable } from './inode-table.ts';
import type { IoMode } from './io-mode.ts';
import { type MountMessage, type MountWorkerData, mountWorkerRole } from './messages.ts';
import { countRequest, Statistics } from './statistics.ts';
import { TraceRecorder } from './trace-notes.ts';
import { CachedFiles } from './whole-files.ts';

if (!isMainThread) {
  const data = workerData as { readonly role: typeof mountWorkerRole } | BlockThreadData | null;
  if (data?.role === mountWorkerRole) void serveMount();
  else if (data?.role === blockThreadRole) void runBlockThread(data);
}

async function serveMount(): Promise<void> {
  const [[data]] = await Promise.all([
    once(parentPort!, 'message') as Promise<[MountWorkerData]>,
    initBlockHash(),
  ]);
  const { device, inodes, cache } = data;
  const counter = new Statistics(data.statistics).counter(1);
  const log = (line: string) => tell({ type: 'log', line });
  const keeper = cache && new BlockKeeper(cache, inodes, log);
  const reader = new FileReader({
    columns: inodes,
    memory: new BlockMemory(data.memory, inodes),
    keeper,
    counter,
    reply: (unique, pieces) => sendReply(device, unique, pieces),
    fetch: (unique, row, offset, size) => tell({ type: 'read', unique, row, offset, size }),
    interrupt: (unique) => tell({ type: 'interrupt', unique }),
    touched: (row, place) => tell({ type: 'touched', row, place }),
  });
  const trace = data.trace && new TraceRecorder(data.trace, inodes);
  const table = new InodeTable(inodes);
  const openFiles = new OpenFiles(data.openFiles);
  const wholeFiles = cache && new FileCache(cache, { warn: log });
  const opener = openerOf(data, wholeFiles, log);
  const collectSoon = soonCollectGarbage();
  const collectAfterMany = garbageOf(openFiles);
  const stores = new FileStores(data.stores);
  const looks = new FlistXattrs({
    columns: inodes,
    cachedBlocks: (row) => keeper?.blocksHere(row) ?? 0,
    storeOf: (row) => stores.addressOf(row),
  });
  // Where the flist has attributes of its own, the kernel asks for them anyway.
  const told = data.xattrs || table.hasXattrs ? looks : undefined;
  const filesystem = new FlistFilesystem(table, reader, { trace, looks: told, opener });
  tell({ type: 'ready' });
  serve(device, filesystem, {
    givenUp: data.givenUp,
    wanted: wantedFeatures(data.io, table),
    openFiles,
    ...(data.requests !== undefined && { requests: new RequestLog(data.requests, device) }),
    onStart(session) {
      if (opener instanceof PassthroughOpener) opener.start(session, openFiles);
      tell({ type: 'started', session });
    },
    onRequest(_, { kind }) {
      countRequest(counter, kind);
      collectSoon();
      collectAfterMany();
    },
    ...(data.takeOver && { takeOver: data.takeOver }),
    onError: (error) => log(`a request failed: ${describeError(error)}`),
  });
  wholeFiles?.close();
}

/** So many open files leave garbage that is worth the time to collect it. */
const manyFiles = 20_000;

/** Collects garbage when most of many files are closed: this thread is never idle, and V8 leaves it until there is more. */
function garbageOf(openFiles: OpenFiles): () => void {
  let most = 0;
  return () => {
    most = Math.max(most, openFiles.size);
    if (most < manyFiles || openFiles.size > most / 8) return;
    most = 0;
    collectGarbage();
  };
}

function openerOf(
  { io, inodes, device }: MountWorkerData,
  cache: FileCache | undefined,
  log: (line: string) => void,
): FileOpener | undefined {
  if (io === 'no-open') return undefined;
  if (io === 'cached' || cache === undefined) return cachedOpener;
  const prepare = (row: number) => tell({ type: 'prepare', row });
  const files = new CachedFiles(inodes, cache, prepare);
  return new PassthroughOpener({ device, files, log });
}

function wantedFeatures(io: IoMode, table: InodeTable): OptionalFeature[] {
  return [
    ...(io === 'passthrough' ? (['passthrough'] as const) : []),
    ...(table.hasAcls ? (['posixAcl'] as const) : []),
  ];
}

function tell(message: MountMessage): void {
  parentPort!.postMessage(message);
}
