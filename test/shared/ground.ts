import { appendFile, chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { run } from '../../src/base/exec.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The directory in which all scenarios work. */
    ground: string;
  }
}

/** Global setup of the scenarios: one directory for all of them, which is gone at the end with whatever is in it. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (process.getuid?.() !== 0)
    throw new Error('the scenarios need root: they mount, make devices, and build as another user');
  const ground = await mkdtemp(join(tmpdir(), 'zosbuilder-scenarios-'));
  await chmod(ground, 0o755); // one scenario builds as another user
  project.provide('ground', ground);
  return async () => {
    process.stderr.write(await readFile(measurements(ground), 'utf8').catch(() => ''));
    for (const mountpoint of await mountsBelow(ground)) await run('umount', ['--lazy', mountpoint]);
    await rm(ground, { recursive: true, force: true });
  };
}

/** Keeps a line that is printed when all scenarios are done. */
export function noteMeasurement(ground: string, line: string): Promise<void> {
  return appendFile(measurements(ground), `measured  ${line}\n`);
}

/** The mountpoints below a directory, the innermost first. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  return lines
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mountpoint) => mountpoint.startsWith(`${directory}/`))
    .reverse();
}

const measurements = (ground: string) => join(ground, 'measurements.txt');
