import type { Command } from 'commander';
import { explain } from '../../build/explain.ts';
import { printJson } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

export default function define(command: Command): void {
  withProjectOptions(command)
    .description(
      'Says where something is, in the image or in a flist, and the chain of reasons, from the last build.',
    )
    .argument('<subject>', 'a path of the image, module:NAME or firmware:NAME')
    .option('--json', 'print the explanation as JSON')
    .action(async (subject: string, options: ProjectCommandOptions) => {
      const explanation = await explain(await sessionOf(options), subject);
      if (options.json) printJson(explanation);
      else
        for (const line of [explanation.subject, ...explanation.lines.map((text) => `  ${text}`)])
          console.log(line);
    });
}
