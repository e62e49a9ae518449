import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { describeError, Failure } from '../../base/errors.ts';
import { keepThreadsSmall } from '../../base/garbage.ts';
import { formatBytes, parseBytes } from '../../base/units.ts';
import { parseCacheSize } from '../../cache/cache-size.ts';
import { initBlockCodec } from '../../flist/block-codec.ts';
import { readManifest } from '../../flist/manifest.ts';
import { unmount } from '../../fuse/mount-point.ts';
import { findMount } from '../../fuse/mount-table.ts';
import { handedOver, isDaemon, startAsDaemon, startDaemon } from '../../mount/daemon.ts';
import { forecast, lookIntoCache, type Need } from '../../mount/forecast.ts';
import { type IoChoice, ioChoices } from '../../mount/io-mode.ts';
import { takesOver } from '../../mount/keeper.ts';
import { KeptMount, leaveAtOnce } from '../../mount/kept-mount.ts';
import { type MountedFlist, mountFlist } from '../../mount/mount-flist.ts';
import { serveUntilUnmounted } from '../../mount/serve.ts';
import { serveStats } from '../../mount/stats/serve-stats.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { printJson } from '../face.ts';
import { stores } from './options.ts';

interface MountOptions {
  readonly meta: string;
  readonly cache: string;
  readonly daemon?: boolean;
  readonly log?: string;
  readonly store?: readonly string[];
  readonly trace?: string;
  readonly io?: IoChoice;
  readonly prefetch?: number;
  readonly stats?: string;
  readonly xattrs?: boolean;
  readonly readOnce?: boolean;
  readonly cacheSize?: string;
  readonly scrub: string;
  readonly forecast?: boolean;
  readonly json?: boolean;
  readonly debug?: boolean;
}

export default function define(command: Command): void {
  command
    .description('mount a flist read-only; its files are fetched when they are read')
    .argument('<target>', 'an existing directory')
    .requiredOption('-m, --meta <file>', 'the flist')
    .option('-c, --cache <directory>', 'where fetched blocks are kept; may be shared by mounts', '/tmp/cache')
    .option('--cache-size <size>', 'evict what was not used for longest: 500MB, 20GiB, or 20% of the disk')
    .option('--scrub <rate>', 'look for damage in the cache, bytes a second; 0 is not at all', '4MiB')
    .option('-d, --daemon', 'return when the mount answers, and go on in the background')
    .option('-l, --log <file>', "the daemon's log, emptied first")
    .option(
      '-s, --store <[xx-yy=]url>',
      'read from here in place of the stores that the flist names (repeatable)',
      stores,
    )
    .addOption(
      new Option('--io <way>', 'how files are opened; by their sizes when it is left out').choices(ioChoices),
    )
    .option('--trace <file>', 'record which blocks are read when, behind what is in the file')
    .option(
      '--prefetch <rate>',
      'bytes a second that are fetched ahead where the flist says what, or off',
      rateOf,
    )
    .option('--stats <path>', 'the socket for rfs top and Prometheus, or off')
    .option('--xattrs', 'tell of files as user.flist.* attributes; makes ls -l slower')
    .option('--forecast', 'say what reading the flist would fetch, and mount nothing')
    .option('--json', 'with --forecast: print it as JSON')
    .option('--read-once', 'neither look into the cache nor keep anything there')
    .action(async (target: string, options: MountOptions) => {
      if (options.json && !options.forecast) throw jsonWithoutForecast();
      cacheCare(options);
      if (options.forecast) await printForecast(options);
      else if (takesOver()) await goOn();
      else if (isDaemon()) await mount(target, { ...options, ...(await handedOver<Handover>()) });
      else if (options.daemon) await startDaemon(daemonOf(target, options));
      else await mount(target, options);
    });
}

/** Bytes a second; 0 for nothing. */
function rateOf(text: string): number {
  if (text === 'off') return 0;
  const rate = parseBytes(text);
  if (rate === 0)
    throw new Failure('usage', '--prefetch needs more than 0 bytes a second', {
      hint: 'give --prefetch off',
    });
  return rate;
}

function jsonWithoutForecast(): Failure {
  return new Failure('usage', '--json is of --forecast', {
    hint: 'a mount itself prints nothing; leave --json out',
  });
}

async function printForecast({ meta, cache, json }: MountOptions): Promise<void> {
  await initBlockCodec();
  const { columns } = await readManifest(meta);
  const outcome = forecast(columns, lookIntoCache(columns, cache));
  if (json) printJson(outcome);
  else {
    console.log(`everything: ${formatNeed(outcome.everything)}`);
    if (outcome.traced) console.log(`as traced: ${formatNeed(outcome.traced)}`);
  }
}

function formatNeed({
  files,
  blocks,
  bytes,
  cachedBlocks,
  cachedBytes,
  requests,
  bytesToFetch,
}: Need): string {
  const fetched = requests === 0 ? 'nothing' : `${requests} requests, ${formatBytes(bytesToFetch)}`;
  return (
    `${files} files, ${blocks} blocks, ${formatBytes(bytes)}; ` +
    `in the cache ${cachedBlocks} blocks, ${formatBytes(cachedBytes)}; to fetch ${fetched}`
  );
}

/** Stores may hold secrets, which do not belong into the arguments of a process that lives long. */
type Handover = Pick<MountOptions, 'store'>;

function daemonOf(target: string, options: MountOptions) {
  const { store, log } = options;
  const handover: Handover = { ...(store && { store }) };
  return { arguments: argumentsOf(target, options), handover, ...(log !== undefined && { log }) };
}

/** Zero-OS looks for the flist in the arguments of the process that serves a mount. */
function argumentsOf(target: string, options: MountOptions): string[] {
  const { meta, cache, cacheSize, scrub, trace, io, prefetch, stats, xattrs, readOnce, debug } = options;
  return [
    'mount',
    ...(debug ? ['--debug'] : []),
    '--meta',
    meta,
    '--cache',
    cache,
    ...(cacheSize === undefined ? [] : ['--cache-size', cacheSize]),
    '--scrub',
    scrub,
    ...(trace === undefined ? [] : ['--trace', trace]),
    ...(io === undefined ? [] : ['--io', io]),
    ...(prefetch === undefined ? [] : ['--prefetch', prefetch === 0 ? 'off' : `${prefetch}`]),
    ...(stats === undefined ? [] : ['--stats', stats]),
    ...(xattrs ? ['--xattrs'] : []),
    ...(readOnce ? ['--read-once'] : []),
    '--daemon',
    '--',
    target,
  ];
}

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

async function mount(target: string, options: MountOptions): Promise<void> {
  const inheritance = absolute(target, options);
  const keep = () =>
    KeptMount.create({
      manifest: options.meta,
      mountpoint: target,
      command: commandOf(inheritance),
      handover: inheritance,
    });
  const mounted = await startAsDaemon(() => mountKept(inheritance, keep));
  await serve(mounted);
}

/** What no code expects ends the process, but not the mount. */
async function serve(mounted: MountedFlist): Promise<void> {
  process.on('uncaughtException', (error) => {
    console.error(error);
    leaveAtOnce();
  });
  await serveUntilUnmounted(mounted, console.error);
}

/** In place of a server that died. Nobody hears of a failure but the log. */
async function goOn(): Promise<void> {
  const kept = KeptMount.inherited<Inheritance>((handover) => ({ command: commandOf(handover) }));
  if (kept?.predecessor === undefined) return;
  const { handover, mountpoint, source } = kept.predecessor;
  try {
    if (kept.isHopeless) throw new Failure('failed', 'its servers die one after the other');
    const mounted = await mountKept(handover, () => kept);
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
  keep: () => KeptMount | Promise<KeptMount>,
): Promise<MountedFlist> {
  const { meta, cache, store, trace, io, prefetch, stats, xattrs = false, readOnce = false } = options;
  keepThreadsSmall();
  const opened = store && (await openRoutes(store.map(parseRoute), { note: console.error }));
  const kept = await keep();
  const mounted = await mountFlist({
    manifest: meta,
    mountpoint: target,
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

/** What is done for the cache. @throws Failure `usage` */
function cacheCare({ cache, cacheSize, scrub }: MountOptions) {
  const rate = parseBytes(scrub);
  return {
    ...(cacheSize !== undefined && { cacheSize: parseCacheSize(cacheSize, cache) }),
    ...(rate > 0 && { scrub: rate }),
  };
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
