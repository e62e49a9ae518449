import { resolve } from 'node:path';
import { describeError } from '../base/errors.ts';
import { collectGarbage } from '../base/garbage.ts';
import { CacheUpkeep } from '../cache/upkeep.ts';
import { initBlockCodec } from '../flist/block/block-codec.ts';
import { type Manifest, readManifest } from '../flist/manifest/manifest.ts';
import { type ManifestColumns, pathAt } from '../flist/manifest/manifest-columns.ts';
import { prefetchBlocks } from '../flist/manifest/prefetch-list.ts';
import { checkBacking } from '../fuse/backing.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import { openRoutes } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { beginFlistMount } from './begin-mount.ts';
import { chooseIoMode, type IoChoice, type IoMode } from './io-mode.ts';
import { type KeptMount, leaveAtOnce } from './life/kept-mount.ts';
import { MountServer } from './mount-server.ts';
import { ServingThread } from './serving-thread.ts';
import type { StatisticsSnapshot } from './statistics.ts';
import type { MountFigures } from './stats/figures.ts';
import { TraceFile } from './trace-file.ts';
import { makeTraceNotes } from './trace-notes.ts';

export interface MountFlistOptions {
  /** The `.fl` file, or what was read from it. */
  readonly manifest: string | Manifest;
  /** An existing directory. */
  readonly mountpoint: string;
  /** The directory of the block cache, made when something is kept; may be shared with other mounts and with rfs. */
  readonly cache: string;
  /** Neither look into the cache nor keep anything there: for what is read once. */
  readonly readOnce?: boolean;
  /** Bytes that the cache may have on the disk; as many as there are when left out. */
  readonly cacheSize?: number;
  /** Bytes a second that are read to find what is damaged in the cache; it is not looked for when left out. */
  readonly scrub?: number;
  /** Where the blocks are, in place of the manifest's routes. */
  readonly store?: Store;
  /** The file that the worker starts from, when this code is bundled: it must import `worker.ts` when it is no main thread. */
  readonly worker?: URL;
  /** The thread that is to serve the mount, where it was started before. */
  readonly thread?: ServingThread;
  /** Milliseconds that the store has to answer for a block; 30,000 by default. */
  readonly deadline?: number;
  /** A file that gets a line for each first reading of blocks, behind what is in it; see `rfs flist trace`. */
  readonly trace?: string;
  /** How files are opened; by their sizes by default. */
  readonly io?: IoChoice;
  /**
   * Plain bytes a second of what the flist says that is to be fetched ahead; 64 MiB by default, 0 for nothing. Not when `readOnce`.
   */
  readonly prefetch?: number;
  /**
   * Whether `user.flist.*` attributes are given also where the flist has none of its own. The kernel then asks for attributes of every
   * file, which makes `ls -l` some 3 times as long.
   */
  readonly xattrs?: boolean;
  /** What lets another process go on with the mount when this one dies. */
  readonly kept?: KeptMount;
  /** Where lines about damage and a store that does not answer go; standard error by default. */
  readonly log?: (line: string) => void;
}

export interface MountedFlist {
  /** The real path of the directory. */
  readonly mountpoint: string;
  /** What was agreed with the kernel. */
  readonly session: NegotiatedSession;
  /** Settles when the mount has ended, whoever ended it; rejects when its server broke down. */
  readonly done: Promise<void>;
  /** Takes the mount off its directory. When it is in use, it goes on for its users and `done` waits for them. */
  unmount(): Promise<void>;
  /**
   * Fetches blocks into the cache, in order, when nothing else is to be fetched; see `Scheduler.prefetch`.
   * @param list rows of the manifest's columns, with numbers of blocks in the file
   * @param bytesPerSecond plain bytes; as fast as it goes by default
   */
  prefetch(
    list: Iterable<{ readonly row: number; readonly index: number }>,
    bytesPerSecond?: number,
  ): Promise<void>;
  /** What the mount has counted so far. */
  statistics(): StatisticsSnapshot;
  /** The same, and what the mount is doing. */
  figures(): MountFigures;
  /** As `/proc/mounts` shows it: the pid of a process that stays as long as the mount. */
  readonly source: string;
  /** Of a kept mount: writes what is to be written and ends this process at once, for another to go on. */
  leave?(): Promise<never>;
}

/** Plain bytes a second. */
const usualPrefetch = 64 << 20;

/**
 * Mounts a flist read-only on a directory, as root or by fusermount3. Blocks are fetched when they are read and kept in the cache. This
 * process serves the mount, so it must not wait for the mounted files itself: no synchronous calls on them, and no
 * starting of a program that lies there, for spawn(2) waits until the program is loaded. Other processes may do both.
 * @returns when the mount answers.
 * @throws Failure for a manifest that cannot be read, a store that cannot be opened, no FUSE, a directory in use.
 */
export async function mountFlist(options: MountFlistOptions): Promise<MountedFlist> {
  const { kept } = options;
  const log = options.log ?? ((line: string) => console.error(line));
  const worker = options.worker ?? new URL('./worker.ts', import.meta.url);
  const thread = options.thread ?? new ServingThread(worker);
  const { parts, begun } = await begin(options, log).catch(async (error) => {
    kept?.end();
    await Promise.all([kept?.begun?.abandon(), thread.stop()]);
    throw error;
  });
  const { columns, store, mounted, notes, trace } = parts;
  const io = ioModeFor(columns, options, log);
  const server = new MountServer({
    begun,
    thread,
    io,
    inodes: columns,
    store,
    cache: options.readOnce ? undefined : options.cache,
    deadline: options.deadline ?? 30_000,
    worker,
    trace: notes,
    kept,
    xattrs: options.xattrs ?? false,
    log,
  });
  const { cacheSize: size, scrub } = options;
  const upkeep = server.fetch.cache && CacheUpkeep.start(server.fetch.cache, { size, scrub, log });
  const done = server.done.finally(() => Promise.all([trace?.close(), upkeep?.stop()]));
  done.catch(() => {}); // a mount that fails says so itself
  const mounting = server.mount(); // which starts other programs first; meanwhile the codec is loaded
  const [{ mountpoint, session }] = await Promise.all([mounting, initBlockCodec()]);
  if (io === 'passthrough' && options.io === io && !session.features.includes('passthrough'))
    log(`files are not passed through: the kernel speaks FUSE 7.${session.minor} without it`);
  const { scheduler, statistics } = server.fetch;
  const { prefetch = usualPrefetch } = options;
  if (prefetch > 0 && !options.readOnce)
    scheduler.prefetch(prefetchBlocks(columns), prefetch).catch((error) => log(describeError(error)));
  const figures = (): MountFigures => ({
    mountpoint,
    flist: typeof options.manifest === 'string' ? resolve(options.manifest) : '',
    pid: process.pid,
    mounted,
    now: Date.now(),
    statistics: statistics.snapshot(),
    requests: scheduler.waiting().map(({ row, ...read }) => ({ path: pathAt(columns, row), ...read })),
  });
  return {
    mountpoint,
    session,
    source: server.source,
    done,
    figures,
    unmount: () => server.unmount(),
    prefetch: (list, bytesPerSecond) => scheduler.prefetch(list, bytesPerSecond),
    statistics: () => statistics.snapshot(),
    ...(kept && {
      leave: async () => {
        await trace?.close();
        upkeep?.tell();
        return leaveAtOnce();
      },
    }),
  };
}

/** Reading a flist of more than these leaves so much garbage that collecting it pays. */
const manyInodes = 50_000;

/** Opens what a mount is made of, and the connection to the kernel. */
async function begin(options: MountFlistOptions, log: (line: string) => void) {
  const { kept, mountpoint } = options;
  const parts = await openParts(options, log);
  return { parts, begun: kept ? kept.begun : await beginFlistMount(mountpoint) };
}

/** What a mount is made of. */
async function openParts(options: MountFlistOptions, log: (line: string) => void) {
  const manifest =
    typeof options.manifest === 'string'
      ? await (options.kept?.readManifest(options.manifest) ?? readManifest(options.manifest))
      : options.manifest;
  if (manifest.columns.ino.length > manyInodes) collectGarbage();
  const store = options.store ?? (await openRoutes(manifest.routes, { note: log }));
  const { columns } = manifest;
  const mounted = options.kept?.mounted ?? Date.now();
  const notes = options.trace === undefined ? undefined : makeTraceNotes(columns, mounted);
  const trace = notes && (await TraceFile.open(options.trace!, { notes, columns, log }));
  return { columns, store, mounted, notes, trace };
}

/** How files are opened. A mount without root or koffi does without passthrough, and says so when it was asked for. */
function ioModeFor(
  columns: ManifestColumns,
  { io = 'auto', trace, readOnce }: MountFlistOptions,
  log: (line: string) => void,
): IoMode {
  // What is passed through can be neither traced nor kept out of the cache.
  const chosen = io === 'auto' ? (trace || readOnce ? 'no-open' : chooseIoMode(columns)) : io;
  if (chosen !== 'passthrough') return chosen;
  try {
    checkBacking();
    return chosen;
  } catch (error) {
    if (io === chosen) log(`files are not passed through: ${describeError(error)}`);
    return 'no-open';
  }
}
