import type { Command } from 'commander';
import { formatProgress } from '../../base/progress.ts';
import { formatBytes } from '../../base/units.ts';
import { type SyncSummary, syncStores } from '../../flist/move/sync-stores.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute } from '../../store/route.ts';
import { storeSpecs } from '../../store/spec-file.ts';
import type { Store } from '../../store/store.ts';
import { type CommonOptions, printJson, reporterOf } from '../face.ts';

interface SyncOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .argument('<source>', 'the store to copy from, as [xx-yy=]URL; it must be one that can list its blocks')
    .argument('<destination>', 'the store to copy to')
    .option('-n, --dry-run', 'only count what is missing')
    .option('--json', 'print the outcome as JSON')
    .action(async (source: string, destination: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<SyncOptions>();
      const reporter = reporterOf(options);
      const [from, to] = [await open(source, reporter.line), await open(destination, reporter.line)];
      const start = performance.now();
      const summary = await syncStores({
        from,
        to,
        dryRun: options.dryRun ?? false,
        onProgress: ({ blocks: done, copiedBytes: bytes }, total) => {
          const milliseconds = performance.now() - start;
          reporter.status(`copying: ${formatProgress('blocks', { done, total, bytes, milliseconds })}`);
        },
      });
      if (options.json) printJson(summary);
      else console.log(formatSummary(to.address, summary, options.dryRun ?? false));
    });
}

function open(argument: string, note: (line: string) => void): Promise<Store> {
  return openRoutes(storeSpecs(argument).map(parseRoute), { note });
}

function formatSummary(address: string, summary: SyncSummary, dryRun: boolean): string {
  const { blocks, missingBlocks, copiedBytes } = summary;
  const missing = `${address}: ${missingBlocks} of ${blocks} blocks`;
  return dryRun ? `${missing} are missing` : `${missing} were missing, ${formatBytes(copiedBytes)} copied`;
}
