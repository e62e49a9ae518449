import type { Command } from 'commander';
import { formatBytes } from '../../base/units.ts';
import {
  type BlocksToFetch,
  blocksToFetch,
  diffEntries,
  diffSettings,
  type EntryChange,
  type SettingChange,
} from '../../flist/diff.ts';
import { printable } from '../../flist/inspect.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { jsonWithList, printLines } from '../face.ts';

/** As diff(1): 0 when they are equal, 1 when they differ, and 2 for trouble. */
const differs = 1;
export const exitCodeOf = (): number => 2;

interface DiffSummary {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly toFetch: BlocksToFetch;
}

export default function define(command: Command): void {
  command
    .description(
      'what is another in a newer flist; ends with 0 when nothing is, with 1 when something is, with 2 on errors',
    )
    .argument('<old>', 'the flist that is there already')
    .argument('<new>', 'the flist to compare with it')
    .option('--json', 'print the differences as JSON')
    .action(async (old: string, newFlist: string, options: { json?: boolean }) => {
      const [older, newer] = [await readManifest(old), await readManifest(newFlist)];
      const counts = { added: 0, removed: 0, changed: 0 };
      function* counted(): Generator<EntryChange> {
        for (const change of diffEntries(older, newer)) {
          counts[change.change]++;
          yield change;
        }
      }
      const settings = diffSettings(older, newer);
      const summary = () => ({ ...counts, toFetch: blocksToFetch(older, newer) });
      const isEqual = () => settings.length + counts.added + counts.removed + counts.changed === 0;
      if (options.json)
        await printLines(jsonWithList('entries', counted(), () => ({ settings, summary: summary() })));
      else {
        await printLines(textLines(settings, counted()));
        if (!isEqual()) console.log(formatSummary(summary()));
      }
      if (!isEqual()) process.exitCode = differs;
    });
}

const signs = { added: '+', removed: '-', changed: '~' } as const;

function* textLines(settings: readonly SettingChange[], changes: Iterable<EntryChange>): Generator<string> {
  for (const { change, setting, tag } of settings)
    yield `${signs[change]} ${tag === undefined ? setting : `tag ${printable(tag)}`}`;
  for (const change of changes) {
    const fields = change.change === 'changed' ? `: ${change.fields.join(', ')}` : '';
    yield `${signs[change.change]} /${printable(change.path)}${fields}`;
  }
}

function formatSummary({ added, removed, changed, toFetch }: DiffSummary): string {
  return (
    `${added} added, ${removed} removed, ${changed} changed; ` +
    `${toFetch.blocks} blocks to fetch, ${formatBytes(toFetch.bytes)}`
  );
}
