import type { Command } from 'commander';
import type { MountFigures } from '../../mount/stats/figures.ts';
import { readAllFigures, readFigures, socketsOf } from '../../mount/top/read-figures.ts';
import { mountLines } from '../../mount/top/view.ts';
import { watchMounts } from '../../mount/top/watch.ts';
import { printJson, printLines } from '../face.ts';

interface TopOptions {
  readonly once?: boolean;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .description('what mounts are doing: requests, hit rates, stores, and what is waiting')
    .argument('[mount]', 'where a flist is mounted, or the socket of its mount; all mounts without it')
    .option('--once', 'print it once, since the mount, and end')
    .option('--json', 'print the figures once as JSON')
    .action(async (name: string | undefined, options: TopOptions) => {
      if (!options.once && !options.json) {
        await watchMounts(name, { input: process.stdin, output: process.stdout });
        return;
      }
      const figures = await figuresOf(name);
      if (options.json) printJson(figures);
      else await printLines(figures.flatMap((after) => [...mountLines({ before: undefined, after }), '']));
    });
}

/** Of a mount that is named, that it does not answer is an error. */
async function figuresOf(name: string | undefined): Promise<MountFigures[]> {
  const sockets = await socketsOf(name);
  return name === undefined
    ? [...(await readAllFigures(sockets)).values()]
    : Promise.all(sockets.map(readFigures));
}
