/**
 * Runs every benchmark, one after the other, and lets each write its section of docs/performance.md. Nothing that one of them wrote is
 * removed before the last one has ended (`emptyFiles` says why).
 * Usage: npm run bench [-- --work DIRECTORY]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { benchmarks } from './section.ts';

const { values } = parseArgs({ options: { work: { type: 'string', default: tmpdir() } } });
const work = await mkdtemp(join(values.work, 'zosbuilder-bench-'));
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    isInterrupted = true;
  });

const failed: string[] = [];
try {
  for (const name of benchmarks) if (isInterrupted || !(await succeeds(name))) failed.push(name);
} finally {
  await rm(work, { recursive: true, force: true, maxRetries: 5 });
}
if (failed.length > 0) {
  console.error(`these failed, and their sections are the former ones: ${failed.join(', ')}`);
  process.exitCode = 1;
}

async function succeeds(name: string): Promise<boolean> {
  const file = join(import.meta.dirname, `${name}.ts`);
  const child = spawn(process.execPath, [file, '--write', '--work', work, '--keep'], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'close')) as [number | null];
  return code === 0;
}
