import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { makeDirectory } from '../base/files.ts';

/**
 * A name beside `path`, whose directory is made, under which a manifest is written until it is whole. What processes that were killed
 * have left there of the same manifest is removed.
 */
export async function unfinishedManifest(path: string): Promise<string> {
  const directory = dirname(path);
  await makeDirectory(directory);
  const prefix = `.${basename(path)}.${here()}-`;
  for (const name of await readdir(directory))
    if (name.startsWith(prefix) && !isRunning(name.slice(prefix.length)))
      await rm(join(directory, name), { force: true });
  return join(directory, `${prefix}${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
}

/** Whether the process that a name ends with is there, or may be. */
function isRunning(end: string): boolean {
  const [, pid] = /^(\d+)\.[0-9a-f]{8}\.tmp$/.exec(end) ?? [];
  if (pid === undefined) return true;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

let place: string | undefined;

/** Where a process id means the same process: this PID namespace, from one start of the machine to the next. */
function here(): string {
  place ??= createHash('sha256')
    .update(readFileSync('/proc/sys/kernel/random/boot_id'))
    .update(readlinkSync('/proc/self/ns/pid'))
    .digest('hex')
    .slice(0, 16);
  return place;
}
