import type { Command } from 'commander';
import { Failure } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import { type PackSummary, packTree } from '../../flist/pack.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { treeFromDirectory } from '../../tree/from-directory.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface PackOptions extends CommonOptions {
  readonly meta: string;
  readonly store?: readonly string[];
  readonly stripPassword: boolean;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .argument('<target>', 'the directory to pack')
    .requiredOption('-m, --meta <file>', 'the flist to write')
    .option(
      '-s, --store <[xx-yy=]url>',
      'where blocks go, and where the flist says that they are (repeatable: shards by range, else replicas)',
      stores,
    )
    .option('--no-strip-password', 'keep passwords of store addresses in the flist')
    .option('--json', 'print the outcome as JSON')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PackOptions>();
      const summary = await pack(target, options);
      if (options.json) printJson(summary);
      else console.log(formatSummary(options.meta, summary));
    });
}

async function pack(target: string, options: PackOptions): Promise<PackSummary> {
  if (options.store === undefined)
    throw new Failure('usage', 'there is no store for the blocks', {
      hint: 'name one with --store, for example --store dir:///srv/blocks',
    });
  const given = options.store.map(parseRoute);
  const reporter = reporterOf(options);
  return packTree(await treeFromDirectory(target), {
    manifest: options.meta,
    store: await openRoutes(given),
    routes: given.map((route) => ({
      ...route,
      url: routeUrl(route.url, { keepPassword: !options.stripPassword }),
    })),
    onProgress: ({ blocks, bytes }) => reporter.status(`packing: ${blocks} blocks, ${formatBytes(bytes)}`),
  });
}

function formatSummary(meta: string, { files, bytes, blocks, newBlocks, storedBytes }: PackSummary): string {
  return (
    `${meta}: ${files} files, ${formatBytes(bytes)} in ${blocks} blocks; ` +
    `${newBlocks} blocks were new, ${formatBytes(storedBytes)} stored`
  );
}
