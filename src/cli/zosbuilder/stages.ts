import type { Command } from 'commander';
import { formatStages } from '../../build/report.ts';
import { printJson } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

export default function define(command: Command): void {
  withProjectOptions(command)
    .description('Shows what a build would do, without doing it.')
    .option('--json', 'print the table as JSON')
    .action(async (options: ProjectCommandOptions) => {
      const statuses = await (await sessionOf(options)).engine.plan();
      if (options.json) printJson(statuses);
      else for (const line of formatStages(statuses)) console.log(line);
    });
}
