import type { Command } from 'commander';
import { formatEntry, formatSummary, inspectEntries, inspectSummary } from '../../flist/inspect.ts';
import { type Manifest, readManifest } from '../../flist/manifest.ts';
import { treeLines } from '../../flist/tree-view.ts';
import { jsonWithList, printLines } from '../face.ts';

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
}

function* textLines(manifest: Manifest): Generator<string> {
  for (const entry of inspectEntries(manifest)) yield `${formatEntry(entry).join('\n')}\n`;
  yield* formatSummary(inspectSummary(manifest));
}

function jsonLines(manifest: Manifest): Iterable<string> {
  return jsonWithList('entries', inspectEntries(manifest), () => ({ summary: inspectSummary(manifest) }));
}
