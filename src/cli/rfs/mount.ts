import { type Command, Option } from 'commander';
import { Failure } from '../../base/errors.ts';
import { parseBytes } from '../../base/units.ts';
import { parseCacheSize } from '../../cache/cache-size.ts';
import { type IoChoice, ioChoices } from '../../mount/io-mode.ts';
import { handedOver, isDaemon, startDaemon } from '../../mount/life/daemon.ts';
import { takesOver } from '../../mount/life/keeper.ts';
import { ServingThread } from '../../mount/serving-thread.ts';
import { stores } from './options.ts';

export interface MountOptions {
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
      if (options.forecast) await (await import('./mount-forecast.ts')).printForecast(options);
      else if (options.daemon && !isDaemon() && !takesOver()) await startDaemon(daemonOf(target, options));
      else await serve(target, options);
    });
}

async function serve(target: string, options: MountOptions): Promise<void> {
  const thread = ServingThread.take(); // which starts while the rest is loaded
  try {
    const { goOn, mount } = await import('./mount-serve.ts');
    if (takesOver()) await goOn(thread);
    else if (isDaemon()) await mount(target, { ...options, ...(await handedOver<Handover>()) }, thread);
    else await mount(target, options, thread);
  } finally {
    await thread.stop();
  }
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

/** Stores may hold secrets, which do not belong into the arguments of a process that lives long. */
type Handover = Pick<MountOptions, 'store'>;

function daemonOf(target: string, options: MountOptions) {
  const { store, log } = options;
  const handover: Handover = { ...(store && { store }) };
  return { arguments: argumentsOf(target, options), handover, ...(log !== undefined && { log }) };
}

/** Zero-OS looks for the flist in the arguments of the process that serves a mount. */
export function argumentsOf(target: string, options: MountOptions): string[] {
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

/** What is done for the cache. @throws Failure `usage` */
export function cacheCare({ cache, cacheSize, scrub }: MountOptions) {
  const rate = parseBytes(scrub);
  return {
    ...(cacheSize !== undefined && { cacheSize: parseCacheSize(cacheSize, cache) }),
    ...(rate > 0 && { scrub: rate }),
  };
}
