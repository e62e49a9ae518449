import { type Command, Option } from 'commander';
import { formatDuration } from '../../base/units.ts';
import { type AcceleratorChoice, acceleratorChoices } from '../../boot/accelerator.ts';
import { formatVerdict } from '../../boot/format-verdict.ts';
import { scenarioNamed, scenarios } from '../../boot/scenarios/all.ts';
import { bootOutputs } from '../../build/boot.ts';
import { exitCode, printJson, reporterOf } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

interface Options extends ProjectCommandOptions {
  readonly accel: AcceleratorChoice;
  readonly list?: boolean;
}

export default function define(command: Command): void {
  withProjectOptions(command)
    .description(
      'Boots the image of the last build in QEMU, follows its console and judges it. The console is kept.',
    )
    .argument(
      '[scenario...]',
      `one or more of ${scenarios.map(({ name }) => name).join(', ')}; all by default`,
    )
    .addOption(
      new Option('--accel <kind>', 'what runs the guest').choices([...acceleratorChoices]).default('tcg'),
    )
    .option('--list', 'say what each scenario proves, and boot nothing')
    .option('--json', 'print the verdicts as JSON')
    .action(async (names: readonly string[], options: Options) => {
      if (options.list) {
        for (const { name, proves } of scenarios) console.log(`${name.padEnd(8)} ${proves}`);
        return;
      }
      const reporter = reporterOf(options);
      const verdicts = await bootOutputs(await sessionOf(options), {
        scenarios: names.length > 0 ? names.map(scenarioNamed) : scenarios,
        accelerator: options.accel,
        onEvent: ({ name }, event) => {
          if (event.kind === 'reached')
            reporter.line(`${name} ${formatDuration(event.at).padStart(8)}  ${event.milestone}`);
        },
      });
      if (options.json) printJson(verdicts);
      else for (const verdict of verdicts) console.log(formatVerdict(verdict));
      if (verdicts.some(({ outcome }) => outcome !== 'ready')) process.exitCode = exitCode.failed;
    });
}
