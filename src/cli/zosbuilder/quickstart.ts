import { relative } from 'node:path';
import { type Command, Option } from 'commander';
import { type AcceleratorChoice, acceleratorChoices } from '../../boot/accelerator.ts';
import { formatVerdict } from '../../boot/format-verdict.ts';
import { quickstart } from '../../build/quickstart.ts';
import { formatOutputs } from '../../build/report.ts';
import { exitCode, printJson, reporterOf } from '../face.ts';
import { formatPublished } from './publish.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

interface Options extends ProjectCommandOptions {
  readonly accel: AcceleratorChoice;
}

export default function define(command: Command): void {
  withProjectOptions(command)
    .description(
      'The whole product on this machine: builds the image, publishes the flists to a local store, serves them on loopback, boots the node in QEMU.',
    )
    .addOption(
      new Option('--accel <kind>', 'what runs the guest').choices([...acceleratorChoices]).default('tcg'),
    )
    .option('--json', 'print the outcome as JSON')
    .action(async (options: Options) => {
      const session = await sessionOf(options);
      const { outputs, published, verdict } = await quickstart(session, {
        reporter: reporterOf(options),
        accelerator: options.accel,
      });
      if (options.json) printJson({ outputs, published, verdict });
      else {
        console.log(`\n${formatVerdict(verdict)}\n`);
        const dist = relative(process.cwd(), session.project.dist) || '.';
        for (const line of [...formatOutputs(dist, outputs), ...formatPublished(published)])
          console.log(line);
      }
      if (verdict.outcome !== 'ready') process.exitCode = exitCode.failed;
    });
}
