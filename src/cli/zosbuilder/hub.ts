import { join } from 'node:path';
import type { Command } from 'commander';
import { projectAt } from '../../build/project.ts';
import { startHub } from '../../hub/hub.ts';
import { parseListen } from '../../hub/listen.ts';
import { reporterOf } from '../face.ts';
import { type ProjectCommandOptions, withProjectOptions } from './session.ts';

interface Options extends ProjectCommandOptions {
  readonly listen: string;
  readonly blocks?: string;
}

export default function define(command: Command): void {
  withProjectOptions(command)
    .description('Serves the manifests of dist/flists and the blocks of dist/blocks until it is stopped.')
    .option('--listen <address:port>', 'where to listen', '127.0.0.1:8080')
    .option('--blocks <dir>', 'a directory store in place of dist/blocks')
    .action(async (options: Options) => {
      const { dist } = projectAt(process.cwd(), options);
      const reporter = reporterOf(options);
      const hub = await startHub({
        manifests: join(dist, 'flists'),
        blocks: options.blocks ?? join(dist, 'blocks'),
        listen: parseListen(options.listen),
      });
      reporter.line(`serving ${dist} at ${hub.url}`);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      await hub.close();
    });
}
