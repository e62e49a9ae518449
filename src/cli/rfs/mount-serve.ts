/** The processes that serve a mount of `rfs mount`. Loaded when the thread that answers the kernel is already being started. */
import { resolve } from 'node:path';
import { describeError, Failure } from '../../base/errors.ts';
import { unmount } from '../../fuse/mount-point.ts';
import { findMount } from '../../fuse/mount-table.ts';
import { startAsDaemon } from '../../mount/life/daemon.ts';
import { KeptMount, leaveAtOnce } from '../../mount/life/kept-mount.ts';
import { serveUntilUnmounted } from '../../mount/life/serve.ts';
import { type MountedFlist, mountFlist } from '../../mount/mount-flist.ts';
import type { ServingThread } from '../../mount/serving-thread.ts';
import { serveStats } from '../../mount/stats/serve-stats.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { argumentsOf, cacheCare, type MountOptions } from './mount.ts';

/** What a server needs to go on with the mount of another. */
interface Inheritance {
  readonly target: string;
  readonly options: MountOptions;
}

/** The program that takes over, from any directory, when this one dies. */
const commandOf = ({ target, options }: Inheritance) => [
  process.execPath,
  ...process.execArgv,
  process.argv[1]!,
  ...argumentsOf(target, options),
];

/** Mounts, and serves until the mount has ended. */
export async function mount(target: string, options: MountOptions, thread: ServingThread): Promise<void> {
  const inheritance = absolute(target, options);
  const keep = () =>
    KeptMount.create({
      manifest: options.meta,
      mountpoint: target,
      command: commandOf(inheritance),
      handover: inheritance,
    });
  await serve(startAsDaemon(() => mountKept(inheritance, thread, keep)));
}

/** What no code expects ends the process, but not the mount. */
async function serve(mounting: MountedFlist | Promise<MountedFlist>): Promise<void> {
  const leaveWithError = (error: unknown) => {
    console.error(error);
    leaveAtOnce();
  };
  const mounted = Promise.resolve(mounting).then(
    () => void process.on('uncaughtException', leaveWithError),
    () => {}, // of which the next line hears
  );
  await Promise.all([serveUntilUnmounted(mounting, console.error), mounted]);
}

/** In place of a server that died. Nobody hears of a failure but the log. */
export async function goOn(thread: ServingThread): Promise<void> {
  const kept = KeptMount.inherited<Inheritance>((handover) => ({ command: commandOf(handover) }));
  if (kept?.predecessor === undefined) return;
  const { handover, mountpoint, source } = kept.predecessor;
  try {
    if (kept.isHopeless) throw new Failure('failed', 'its servers die one after the other');
    const mounted = await mountKept(handover, thread, () => kept);
    console.error(`process ${process.pid} serves the mount on ${mountpoint} in place of one that ended`);
    await serve(mounted);
  } catch (error) {
    console.error(`the mount on ${mountpoint} is given up: ${describeError(error)}`);
    kept.giveUp();
    if ((await findMount(mountpoint))?.source === source) await unmount(mountpoint);
  }
}

async function mountKept(
  { target, options }: Inheritance,
  thread: ServingThread,
  keep: () => KeptMount | Promise<KeptMount>,
): Promise<MountedFlist> {
  const { meta, cache, store, trace, io, prefetch, stats, xattrs = false, readOnce = false } = options;
  const opened = store && (await openRoutes(store.map(parseRoute), { note: console.error }));
  const kept = await keep();
  const mounted = await mountFlist({
    manifest: meta,
    mountpoint: target,
    thread,
    cache,
    readOnce,
    ...cacheCare(options),
    ...(io !== undefined && { io }),
    xattrs,
    kept,
    ...(trace !== undefined && { trace }),
    ...(prefetch !== undefined && { prefetch }),
    ...(opened && { store: opened }),
  });
  if (stats !== 'off') await serveStatsOf(mounted, stats, kept.predecessor !== undefined);
  return mounted;
}

/** That the socket which was asked for cannot be made ends a mount that begins, but not one that others use. */
async function serveStatsOf(
  mounted: MountedFlist,
  path: string | undefined,
  takesOver: boolean,
): Promise<void> {
  try {
    await serveStats(mounted, { path, log: console.error });
  } catch (error) {
    if (takesOver) return console.error(describeError(error));
    await mounted.unmount();
    await mounted.done;
    throw error;
  }
}

function absolute(target: string, options: MountOptions): Inheritance {
  const { meta, cache, trace, stats } = options;
  return {
    target: resolve(target),
    options: {
      ...options,
      meta: resolve(meta),
      cache: resolve(cache),
      ...(trace !== undefined && { trace: resolve(trace) }),
      ...(stats !== undefined && stats !== 'off' && { stats: resolve(stats) }),
    },
  };
}
