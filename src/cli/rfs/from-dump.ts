import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { writeDump } from '../../flist/from-dump.ts';
import { type CommonOptions, printJson } from '../face.ts';

interface FromDumpOptions extends CommonOptions {
  readonly meta: string;
  readonly json?: boolean;
}

export default function define(command: Command): void {
  command
    .argument('<dump>', 'what rfs dump printed; - is standard input')
    .requiredOption('-m, --meta <file>', 'the flist to write')
    .option('--json', 'print the outcome as JSON')
    .action(async (dump: string, _: unknown, command: Command) => {
      const { meta, json } = command.optsWithGlobals<FromDumpOptions>();
      const isPiped = dump === '-';
      const lines = linesOf(() => (isPiped ? process.stdin : createReadStream(dump)));
      const counts = await writeDump(lines, isPiped ? 'standard input' : dump, meta);
      if (json) printJson(counts);
      else console.log(`${meta}: ${counts.inodes} entries, ${counts.blocks} blocks`);
    });
}

/** Opens the input when the first line is wanted: readline drops what comes before. */
async function* linesOf(open: () => NodeJS.ReadableStream): AsyncGenerator<string> {
  yield* createInterface({ input: open() });
}
