import type { Command } from 'commander';
import { stageNamed } from '../../build/engine.ts';
import { exportOutputs } from '../../build/outputs.ts';
import { formatOutputs, formatStage } from '../../build/report.ts';
import { printJson, reporterOf } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

interface Options extends ProjectCommandOptions {
  readonly until?: string;
  readonly force?: string[];
}

export default function define(command: Command): void {
  withProjectOptions(command)
    .description('Runs every stage whose inputs changed, then puts the results into dist/.')
    .option('--until <stage>', 'the last stage to run; with it, dist/ is left as it is')
    .option('--force <stage...>', 'stages to run even when fresh')
    .option('--json', 'print the outcome as JSON')
    .action(async (options: Options) => {
      const session = await sessionOf(options);
      const reporter = reporterOf(options);
      const statuses = await session.engine.build({
        ...(options.until !== undefined && { until: stageNamed(options.until) }),
        force: (options.force ?? []).map(stageNamed),
        reporter,
        onStage: (status) => reporter.line(formatStage(status)),
      });
      const outputs = options.until === undefined ? await exportOutputs(session, statuses) : [];
      if (options.json)
        printJson({
          stages: statuses.map(({ record, ...status }) => ({ ...status, note: record?.note })),
          outputs,
        });
      else for (const line of formatOutputs(options.dist ?? 'dist', outputs)) console.log(line);
    });
}
