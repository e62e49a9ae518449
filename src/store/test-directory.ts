import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run } from '../base/exec.ts';

/** A new directory that is removed when the running test ends. */
export async function testDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'zosbuilder-test-'));
  onTestFinished(() => removeTree(directory));
  return directory;
}

/** Removes a directory, also where modes in it keep its owner from doing so. */
export async function removeTree(directory: string): Promise<void> {
  if (process.geteuid!() !== 0) await run('chmod', ['-R', 'u+rwX', '--', directory]);
  // A process that ends may still write its last line.
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}
