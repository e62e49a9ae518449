/**
 * Loaded into a process before its program (`node --import`): at its end the most memory that it had in use, in kB, goes into the file
 * PEAK_FILE. With CORES the machine seems to have so many. What `getrusage` says is of no use: it begins with that of the parent.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { isMainThread } from 'node:worker_threads';

const { PEAK_FILE, CORES } = process.env;

if (CORES !== undefined) {
  os.availableParallelism = () => Number(CORES);
  syncBuiltinESMExports();
}

if (PEAK_FILE !== undefined && isMainThread)
  process.on('exit', () => {
    const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))!;
    writeFileSync(PEAK_FILE, peak!);
  });
