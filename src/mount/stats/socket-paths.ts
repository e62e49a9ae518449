import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';

/** Where the mounts of this user have their sockets when nobody says otherwise: of root in /run, of others in their own part of it. */
export function socketDirectory(): string | undefined {
  const runtime = process.geteuid!() === 0 ? '/run' : process.env['XDG_RUNTIME_DIR'];
  return runtime === undefined ? undefined : join(runtime, 'rfs');
}

/** The socket of a mount: by the source of the mount, which is the pid of the process that keeps it. */
export function socketOf(source: string): string | undefined {
  const directory = socketDirectory();
  return directory === undefined ? undefined : join(directory, `${source}.sock`);
}

/** The sockets that there are, those of dead processes among them. */
export async function knownSockets(): Promise<string[]> {
  const directory = socketDirectory();
  if (directory === undefined) return [];
  try {
    const names = await readdir(directory);
    return names.filter((name) => /^\d+\.sock$/.test(name)).map((name) => join(directory, name));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Removes the sockets of processes that are no more. */
export async function removeStaleSockets(): Promise<void> {
  for (const path of await knownSockets()) {
    const [pid] = /\d+(?=\.sock$)/.exec(path)!;
    if (!existsSync(`/proc/${pid}`)) await rm(path, { force: true });
  }
}
