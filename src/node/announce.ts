import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { type ConsoleLine, formatConsoleLine } from './console.ts';
import { paths } from './paths.ts';

/** Says a line on the console of the node. It is one write, so that no other program's text gets into it. */
export function announce(line: ConsoleLine): void {
  try {
    const console = openSync(paths.console, constants.O_WRONLY | constants.O_NOCTTY);
    try {
      const bytes = Buffer.from(`${formatConsoleLine(line)}\n`);
      for (let written = 0; written < bytes.length; ) written += writeSync(console, bytes, written);
    } finally {
      closeSync(console);
    }
  } catch {
    // A node without a console still has work to do.
  }
}
