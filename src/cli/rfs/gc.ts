import type { Command } from 'commander';
import { formatBytes, parseDuration } from '../../base/units.ts';
import { collectGarbage, type GarbageCounts } from '../../flist/move/collect-garbage.ts';
import { markBlocks } from '../../flist/move/mark-blocks.ts';
import { openStore } from '../../store/open.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';
import { stores } from './options.ts';

interface GcOptions extends CommonOptions {
  readonly store: readonly string[];
  readonly olderThan: string;
  readonly delete?: boolean;
  readonly json?: boolean;
}

interface StoreGarbage extends GarbageCounts {
  readonly store: string;
}

export default function define(command: Command): void {
  command
    .argument('<manifests...>', 'every flist that is in use, and directories of them')
    .requiredOption('-s, --store <[xx-yy=]url>', 'the store to clean (repeatable)', stores)
    .option('--older-than <duration>', 'spare blocks that are younger: 90s, 30m, 24h, 7d', '24h')
    .option('--delete', 'remove what no flist needs; without it nothing is removed')
    .option('--json', 'print the outcome as JSON')
    .action(async (manifests: readonly string[], _: unknown, command: Command) => {
      const options = command.optsWithGlobals<GcOptions>();
      const { olderThan, dryRun } = { olderThan: parseDuration(options.olderThan), dryRun: !options.delete };
      const stores = await Promise.all(options.store.map((spec) => openStore(spec)));
      const marked = await markBlocks(manifests);
      const reporter = reporterOf(options);
      const outcomes: StoreGarbage[] = [];
      for (const store of stores) {
        const onProgress = (done: number, total: number, { garbageBytes }: GarbageCounts) =>
          reporter.status(`${store.address}: ${done}/${total} blocks, ${formatBytes(garbageBytes)}`);
        const counts = await collectGarbage(store, { needed: marked.needed, olderThan, dryRun, onProgress });
        outcomes.push({ store: store.address, ...counts });
      }
      if (options.json) printJson({ deleted: !dryRun, manifests: marked.manifests, stores: outcomes });
      else for (const outcome of outcomes) console.log(formatOutcome(outcome, dryRun));
      if (dryRun) reporter.line('nothing was removed; give --delete to do it');
    });
}

function formatOutcome(outcome: StoreGarbage, dryRun: boolean): string {
  const { store, blocks, neededBlocks, youngBlocks, garbageBlocks, garbageBytes } = outcome;
  const { leftoverFiles, leftoverBytes } = outcome;
  const files = leftoverFiles > 0 ? ` and ${leftoverFiles} files of interrupted writes` : '';
  const bytes = formatBytes(garbageBytes + leftoverBytes);
  return (
    `${store}: ${blocks} blocks, ${neededBlocks} needed, ${youngBlocks} too young to tell; ` +
    `${garbageBlocks} blocks${files}, ${bytes}, ${dryRun ? 'could be' : 'were'} removed`
  );
}
