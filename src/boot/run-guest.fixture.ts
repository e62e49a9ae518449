/** A process of its own that runs the guest `process.argv[2]`, so that a test can end it in the hardest way. */
import { join } from 'node:path';
import { defaultLimits, runGuest } from './qemu.ts';
import { BootWatch } from './watch.ts';

const [program, directory] = process.argv.slice(2) as [string, string];
await runGuest({
  command: [program],
  log: join(directory, 'guest.log'),
  watch: new BootWatch(),
  limits: defaultLimits,
  farewell: () => undefined,
});
