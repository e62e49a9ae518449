import type { Command } from 'commander';
import { dumpLines } from '../../flist/dump.ts';
import { readManifest } from '../../flist/manifest/manifest.ts';
import { printLines } from '../face.ts';

export default function define(command: Command): void {
  command
    .description('print everything that a flist says as text: a line of JSON each')
    .argument('<target>', 'the flist')
    .action(async (target: string) => {
      await printLines(dumpLines(await readManifest(target)));
    });
}
