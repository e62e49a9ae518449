import type { Command } from 'commander';
import { formatEntry, formatSummary, inspectEntries, inspectSummary } from '../../flist/inspect.ts';
import { readManifest } from '../../flist/manifest.ts';
import { treeLines } from '../../flist/tree-view.ts';
import { printJson } from '../face.ts';

export default function define(command: Command): void {
  command
    .command('tree')
    .description('the names in a flist, indented')
    .argument('<target>', 'the flist')
    .action(async (target: string) => {
      const manifest = await readManifest(target);
      for (const line of treeLines(manifest, { pictures: process.stdout.isTTY })) console.log(line);
    });
  command
    .command('inspect')
    .description('every entry of a flist with its metadata, and the totals')
    .argument('<target>', 'the flist')
    .option('--json', 'print it as JSON')
    .action(async (target: string, options: { json?: boolean }) => {
      const manifest = await readManifest(target);
      const summary = inspectSummary(manifest);
      if (options.json) printJson({ entries: [...inspectEntries(manifest)], summary });
      else {
        for (const entry of inspectEntries(manifest)) console.log(`${formatEntry(entry).join('\n')}\n`);
        console.log(formatSummary(summary).join('\n'));
      }
    });
}
