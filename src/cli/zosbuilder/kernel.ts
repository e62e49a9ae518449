import type { Command } from 'commander';
import type { KernelValue } from '../../build/stages/kernel-modules.ts';
import { printJson, reporterOf } from '../face.ts';
import { type ProjectCommandOptions, sessionOf, withProjectOptions } from './session.ts';

export default function define(command: Command): void {
  const release = command
    .command('release')
    .description('The full kernel release, from the recipe and never from this machine.');
  withProjectOptions(release)
    .option('-q, --quiet', 'no progress')
    .option('--json', 'print release and package as JSON')
    .action(async (options: ProjectCommandOptions) => {
      const { engine } = await sessionOf(options);
      await engine.build({ until: 'kernel_modules', reporter: reporterOf(options) });
      const kernel = await engine.value<KernelValue>('kernel_modules', 'kernel');
      if (options.json) printJson(kernel);
      else console.log(kernel.release);
    });
}
