import type { Command } from 'commander';
import { formatProgress } from '../../base/progress.ts';
import { formatBytes } from '../../base/units.ts';
import { ManifestCache } from '../../cache/manifest-cache.ts';
import { shareCache } from '../../cache/shared-cache.ts';
import { CacheUpkeep } from '../../cache/upkeep.ts';
import { initBlockCodec } from '../../flist/block/block-codec.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { UnpackBlocks } from '../../flist/unpack/crew.ts';
import { RemoteBlocks } from '../../flist/unpack/remote-blocks.ts';
import { type UnpackSummary, unpackManifest } from '../../flist/unpack/unpack.ts';
import { localDirectories } from '../../store/local.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, type Route } from '../../store/route.ts';
import { describeLoss } from '../../tree/restore.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface UnpackOptions extends CommonOptions {
  readonly meta: string;
  readonly cache: string;
  readonly preserveOwnership?: boolean;
  readonly store?: readonly string[];
  readonly verify?: boolean;
  readonly json?: boolean;
}

/** The others are only counted: there may be a million. */
const mostLossesShown = 20;

export default function define(command: Command): void {
  command
    .argument('<target>', 'a new or an empty directory, or one in which unpacking this flist was interrupted')
    .requiredOption('-m, --meta <file>', 'the flist')
    .option(
      '-c, --cache <directory>',
      'where fetched blocks are kept; may be shared with mounts',
      '/tmp/cache',
    )
    .option('-p, --preserve-ownership', 'give files the owners that they have in the flist (root only)')
    .option(
      '-s, --store <[xx-yy=]url>',
      'read from here in place of the stores that the flist names (repeatable)',
      stores,
    )
    .option('--verify', 'read every file back from the disk, and write again what is wrong')
    .option('--json', 'print the outcome as JSON')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<UnpackOptions>();
      const warm = command.getOptionValueSource('cache') === 'cli';
      const summary = await unpack(target, options, warm);
      if (options.json) printJson(summary);
      else console.log(formatSummary(target, summary));
    });
}

/** @param warm whether the cache was asked for, and is not only there for what is far away. */
async function unpack(target: string, options: UnpackOptions, warm: boolean): Promise<UnpackSummary> {
  const manifest = await readManifest(options.meta);
  const reporter = reporterOf(options);
  const routes = options.store?.map(parseRoute) ?? manifest.routes;
  const source = await openBlocks(routes, manifest.columns, {
    cache: options.cache,
    warm,
    note: reporter.line,
  });
  const start = performance.now();
  let losses = 0;
  try {
    return await unpackManifest(manifest, {
      directory: target,
      blocks: source.blocks,
      preserveOwnership: options.preserveOwnership ?? false,
      verify: options.verify ?? false,
      onProgress: ({ doing, blocks: done, totalBlocks: total, bytes }) => {
        const milliseconds = performance.now() - start;
        reporter.status(`${doing}: ${formatProgress('blocks', { done, total, bytes, milliseconds })}`);
      },
      onLoss: (path, loss) => {
        if (++losses <= mostLossesShown) reporter.line(describeLoss(path, loss));
      },
    });
  } finally {
    if (losses > mostLossesShown) reporter.line(`and ${losses - mostLossesShown} more`);
    await source.close();
  }
}

/** What lies in a local directory is read there, and need not be kept in another, unless that is what the user wants. */
async function openBlocks(
  routes: readonly Route[],
  columns: ManifestColumns,
  { cache, warm, note }: { cache: string; warm: boolean; note: (line: string) => void },
): Promise<{ readonly blocks: UnpackBlocks; readonly close: () => Promise<void> }> {
  const directories = warm ? undefined : localDirectories(routes);
  if (directories !== undefined) return { blocks: directories, close: async () => {} };
  await initBlockCodec();
  const store = await openRoutes(routes, { note });
  const shared = shareCache(cache);
  const plain = new ManifestCache(shared, columns, { warn: note });
  const upkeep = CacheUpkeep.start(shared, { log: note });
  const close = async () => {
    plain.close();
    await upkeep.stop();
  };
  return { blocks: new RemoteBlocks(store, plain), close };
}

function formatSummary(target: string, { files, bytes, kept, lost }: UnpackSummary): string {
  const losses = Object.values(lost).reduce((sum, count) => sum + count, 0);
  const parts = [`${files} files, ${formatBytes(bytes)}`];
  if (kept > 0) parts.push(`${kept} were there already`);
  if (losses > 0) parts.push(`${losses} ${losses === 1 ? 'thing' : 'things'} could not be kept`);
  return `${target}: ${parts.join('; ')}`;
}
