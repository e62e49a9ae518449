import type { Command } from 'commander';
import { Failure } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import { initBlockCodec } from '../../flist/block-codec.ts';
import { readManifest } from '../../flist/manifest.ts';
import { handedOver, isDaemon, startAsDaemon, startDaemon } from '../../mount/daemon.ts';
import { forecast, lookIntoCache, type Need } from '../../mount/forecast.ts';
import { mountFlist } from '../../mount/mount-flist.ts';
import { serveUntilUnmounted } from '../../mount/serve.ts';
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
    .option('-d, --daemon', 'return when the mount answers, and go on in the background')
    .option('-l, --log <file>', "the daemon's log, emptied first")
    .option(
      '-s, --store <[xx-yy=]url>',
      'read from here in place of the stores that the flist names (repeatable)',
      stores,
    )
    .option('--trace <file>', 'record which blocks are read when, behind what is in the file')
    .option('--forecast', 'say what reading the flist would fetch, and mount nothing')
    .option('--json', 'with --forecast: print it as JSON')
    .action(async (target: string, options: MountOptions) => {
      if (options.json && !options.forecast) throw jsonWithoutForecast();
      if (options.forecast) await printForecast(options);
      else if (isDaemon()) await mount(target, { ...options, ...(await handedOver<Handover>()) });
      else if (options.daemon) await startDaemon(daemonOf(target, options));
      else await mount(target, options);
    });
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

/** Zero-OS looks for the flist in the arguments of the process that serves a mount. */
function daemonOf(target: string, { meta, cache, log, store, trace, debug }: MountOptions) {
  const handover: Handover = { ...(store && { store }) };
  const daemonArguments = [
    'mount',
    ...(debug ? ['--debug'] : []),
    '--meta',
    meta,
    '--cache',
    cache,
    ...(trace === undefined ? [] : ['--trace', trace]),
    '--daemon',
    '--',
    target,
  ];
  return { arguments: daemonArguments, handover, ...(log !== undefined && { log }) };
}

async function mount(target: string, { meta, cache, store: specs, trace }: MountOptions): Promise<void> {
  const mounted = await startAsDaemon(async () =>
    mountFlist({
      manifest: meta,
      mountpoint: target,
      cache,
      ...(trace !== undefined && { trace }),
      ...(specs && { store: await openRoutes(specs.map(parseRoute), { note: console.error }) }),
    }),
  );
  await serveUntilUnmounted(mounted, console.error);
}
