import type { Command } from 'commander';
import { formatProgress } from '../../base/progress.ts';
import { formatBytes } from '../../base/units.ts';
import { ManifestCache } from '../../cache/manifest-cache.ts';
import { shareCache } from '../../cache/shared-cache.ts';
import { initBlockCodec } from '../../flist/block/block-codec.ts';
import { type Manifest, readManifest, writeManifest } from '../../flist/manifest/manifest.ts';
import { type CloneSummary, cloneBlocks, type SizedBlock } from '../../flist/move/clone.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface CloneOptions extends CommonOptions {
  readonly meta: string;
  readonly store: readonly string[];
  readonly cache?: string;
  readonly from?: readonly string[];
  readonly output?: string;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .requiredOption('-m, --meta <file>', 'the flist')
    .requiredOption('-s, --store <[xx-yy=]url>', 'where the blocks go (repeatable)', stores)
    .option('-c, --cache <directory>', 'a cache of mounts: what lies there is not fetched')
    .option(
      '--from <[xx-yy=]url>',
      'read from here in place of the stores that the flist names (repeatable)',
      stores,
    )
    .option(
      '-o, --output <file>',
      'write the flist with the new stores in place of the old; may be the same file',
    )
    .option('--json', 'print the outcome as JSON')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<CloneOptions>();
      const summary = await clone(options);
      if (options.json) printJson(summary);
      else console.log(formatSummary(options.meta, summary));
    });
}

async function clone(options: CloneOptions): Promise<CloneSummary> {
  const given = options.store.map(parseRoute);
  const manifest = await readManifest(options.meta);
  const reporter = reporterOf(options);
  const start = performance.now();
  const summary = await cloneBlocks(manifest, {
    from: await openRoutes(options.from?.map(parseRoute) ?? manifest.routes, { note: reporter.line }),
    to: await openRoutes(given),
    plainBytes: options.cache === undefined ? undefined : await cacheReader(options.cache, manifest),
    onProgress: ({ blocks: done, copiedBytes: bytes }, total) => {
      const milliseconds = performance.now() - start;
      reporter.status(`cloning: ${formatProgress('blocks', { done, total, bytes, milliseconds })}`);
    },
  });
  if (options.output !== undefined) {
    const routes = given.map((route) => ({ ...route, url: routeUrl(route.url) }));
    await writeManifest(options.output, manifest.with({ routes }));
  }
  return summary;
}

/** Whatever is damaged there is fetched, so it is of no interest here. */
async function cacheReader(directory: string, { columns }: Manifest) {
  await initBlockCodec();
  const cache = new ManifestCache(shareCache(directory), columns, { warn: () => {} });
  return (block: SizedBlock) => cache.peek(block, block.place);
}

function formatSummary(meta: string, { blocks, copiedBlocks, copiedBytes }: CloneSummary): string {
  return `${meta}: ${copiedBlocks} of ${blocks} blocks were missing, ${formatBytes(copiedBytes)} copied`;
}
