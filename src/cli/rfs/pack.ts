import type { Command } from 'commander';
import { Failure } from '../../base/errors.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import { parsePlatform } from '../../flist/oci/platform.ts';
import type { PackCounts } from '../../flist/pack/progress.ts';
import { type PackSummary, packSource } from '../../flist/pack.ts';
import { openPackSource } from '../../flist/pack-source.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { repeatable, stores } from './options.ts';

interface PackOptions extends CommonOptions {
  readonly meta: string;
  readonly store?: readonly string[];
  readonly exclude?: readonly string[];
  readonly oneFileSystem?: boolean;
  readonly previous?: string;
  readonly checkPrevious?: boolean;
  readonly platform?: string;
  readonly dryRun?: boolean;
  readonly stripPassword: boolean;
  readonly keepAccessKey?: boolean;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .description('pack a directory, a tar archive, a container image or a flist')
    .argument(
      '<target>',
      'what to pack; its kind is told by its content, or by tar:, flist: and oci: before it',
    )
    .requiredOption('-m, --meta <file>', 'the flist to write')
    .option(
      '-s, --store <[xx-yy=]url>',
      'where blocks go, and where the flist says that they are (repeatable: shards by range, else replicas)',
      stores,
    )
    .option('-e, --exclude <pattern>', 'leave out what matches, as in .gitignore (repeatable)', repeatable)
    .option('-x, --one-file-system', 'take directories on which other file systems are mounted as empty')
    .option('--previous <file>', 'an earlier flist of the directory: what has not changed since is not read')
    .option('--check-previous', 'look for every block of it in the store, not only for some')
    .option('--platform <os/arch[/variant]>', 'which image of several; that of this machine by default')
    .option('-n, --dry-run', 'read and count, but store and write nothing')
    .option('--no-strip-password', 'keep passwords of store addresses in the flist')
    .option('--keep-access-key', 'keep the user names of store addresses in the flist')
    .option('--json', 'print the outcome as JSON')
    .action(async (target: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PackOptions>();
      const summary = await pack(target, options);
      if (options.json) printJson(summary);
      else console.log(formatSummary(options, summary));
    });
}

async function pack(target: string, options: PackOptions): Promise<PackSummary> {
  const { meta, store: specs, exclude = [], oneFileSystem, platform, previous } = options;
  if (specs === undefined)
    throw new Failure('usage', 'there is no store for the blocks', {
      hint: 'name one with --store, for example --store dir:///srv/blocks',
    });
  const given = specs.map(parseRoute);
  const reporter = reporterOf(options);
  const note = reporter.line;
  const store = await openRoutes(given, { note });
  const source = await openPackSource(target, {
    ...{ exclude, oneFileSystem },
    platform: platform === undefined ? undefined : parsePlatform(platform),
  });
  if (source.lost !== undefined) note(`left out: ${source.lost}`);
  const start = performance.now();
  try {
    return await packSource(source, {
      manifest: meta,
      store,
      routes: given.map((route) => ({ ...route, url: manifestUrl(route.url, options) })),
      ...(previous !== undefined && { previous }),
      checkPrevious: options.checkPrevious ?? false,
      dryRun: options.dryRun ?? false,
      note,
      onProgress: (counts) => reporter.status(formatCounts(counts, performance.now() - start)),
      signal: interruption(),
    });
  } finally {
    await source.close();
  }
}

function manifestUrl(url: string, { stripPassword, keepAccessKey = false }: PackOptions): string {
  return routeUrl(url, { keepPassword: !stripPassword, keepAccessKey });
}

/** Aborts at Ctrl-C and at the end of a session, so that no half-written file stays; a second signal ends at once. */
function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () =>
      interrupted.abort(
        new Failure('failed', `interrupted by ${signal}`, {
          hint: 'run the command again: the blocks that are stored are found',
        }),
      ),
    );
  return interrupted.signal;
}

function formatCounts({ files, bytesRead, bytesToRead }: PackCounts, milliseconds: number): string {
  const rate = bytesRead / milliseconds;
  const total = bytesToRead === undefined ? '' : ` of ${formatBytes(bytesToRead)}`;
  const parts = [`packing: ${files} files`, `${formatBytes(bytesRead)}${total}`];
  if (milliseconds >= 1000) parts.push(`${formatBytes(rate * 1000)}/s`);
  if (milliseconds >= 1000 && bytesToRead !== undefined && rate > 0)
    parts.push(`${formatDuration((bytesToRead - bytesRead) / rate)} left`);
  return parts.join(', ');
}

function formatSummary({ meta, dryRun }: PackOptions, summary: PackSummary): string {
  const { files, bytes, blocks, newBlocks, storedBytes, unchangedFiles, isUnchanged } = summary;
  const [were, stored] = dryRun ? ['would be', 'would be stored'] : ['were', 'stored'];
  const parts = [
    `${meta}: ${files} files, ${formatBytes(bytes)} in ${blocks} blocks`,
    `${newBlocks} blocks ${were} new, ${formatBytes(storedBytes)} ${stored}`,
  ];
  if (unchangedFiles > 0) parts.push(`${unchangedFiles} files were not read, since nothing changed in them`);
  if (isUnchanged) parts.push('the flist is the previous one');
  return parts.join('; ');
}
