/**
 * Runs every benchmark, one after the other, and lets each write its section of docs/performance.md.
 * Usage: npm run bench
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { benchmarks } from './section.ts';

const failed = benchmarks.filter((name) => {
  const file = join(import.meta.dirname, `${name}.ts`);
  return spawnSync(process.execPath, [file, '--write'], { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) {
  console.error(`these failed, and their sections are the former ones: ${failed.join(', ')}`);
  process.exitCode = 1;
}
