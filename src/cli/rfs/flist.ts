import { type Command, Option } from 'commander';
import { formatBytes } from '../../base/units.ts';
import { formatEntry, formatSummary, inspectEntries, inspectSummary } from '../../flist/inspect.ts';
import { type Manifest, readManifest } from '../../flist/manifest/manifest.ts';
import { type FoldCounts, type Keep, keeps } from '../../flist/trace/trace-fold.ts';
import { writePrefetch } from '../../flist/trace/trace-prefetch.ts';
import { treeLines } from '../../flist/tree-view.ts';
import { jsonWithList, printJson, printLines } from '../face.ts';

interface TraceOptions {
  readonly meta: string;
  readonly output?: string;
  readonly keep: Keep;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .command('tree')
    .description('the names in a flist, indented')
    .argument('<target>', 'the flist')
    .action(async (target: string) => {
      const manifest = await readManifest(target);
      await printLines(treeLines(manifest, { pictures: process.stdout.isTTY }));
    });
  command
    .command('inspect')
    .description('every entry of a flist with its metadata, and the totals')
    .argument('<target>', 'the flist')
    .option('--json', 'print it as JSON')
    .action(async (target: string, options: { json?: boolean }) => {
      const manifest = await readManifest(target);
      await printLines(options.json ? jsonLines(manifest) : textLines(manifest));
    });
  command
    .command('trace')
    .description('make what mounts read (rfs mount --trace) the order in which later mounts fetch ahead')
    .argument('<traces...>', 'what mounts recorded')
    .requiredOption('-m, --meta <file>', 'the flist')
    .option('-o, --output <file>', 'write the flist here in place of the old one')
    .addOption(
      new Option('--keep <which>', 'blocks that most of the mounts read, that all did, or that any did')
        .choices(keeps)
        .default('most'),
    )
    .option('--json', 'print the outcome as JSON')
    .action(async (traces: string[], { meta, output = meta, keep, json }: TraceOptions) => {
      const counts = await writePrefetch(traces, { manifest: meta, output, keep });
      if (json) printJson(counts);
      else console.log(`${output}: ${formatFold(counts)}`);
    });
}

function formatFold({ mounts, files, blocks, bytes, dropped, unknown }: FoldCounts): string {
  const notes = [
    ...(dropped > 0 ? [`${dropped} blocks were read by too few`] : []),
    ...(unknown > 0 ? [`${unknown} files are not in the flist`] : []),
  ];
  const kept = `${blocks} blocks of ${files} files, ${formatBytes(bytes)}, are fetched ahead, by ${mounts} mounts`;
  return [kept, ...notes].join('; ');
}

function* textLines(manifest: Manifest): Generator<string> {
  for (const entry of inspectEntries(manifest)) yield `${formatEntry(entry).join('\n')}\n`;
  yield* formatSummary(inspectSummary(manifest));
}

function jsonLines(manifest: Manifest): Iterable<string> {
  return jsonWithList('entries', inspectEntries(manifest), () => ({ summary: inspectSummary(manifest) }));
}
