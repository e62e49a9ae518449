import type { Command } from 'commander';
import { upgradeMount } from '../../mount/life/upgrade.ts';

export default function define(command: Command): void {
  command
    .description(
      'let a new server, of the program as it is installed now, take over a mount; its users notice nothing',
    )
    .argument('<target>', 'where a flist is mounted')
    .action((target: string) => upgradeMount(target));
}
