import { readFileSync } from 'node:fs';
import { realpath, statfs } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { Failure } from '../../base/errors.ts';
import { findMount } from '../../fuse/mount-table.ts';
import { leaveSignal } from './serve.ts';

/** Milliseconds in which a server has to end that is told to. */
const patience = 10_000;

/**
 * Makes the server of a mount leave its place to another, which runs the program as it lies there now, and waits until that one answers.
 * @throws Failure `not-found` when no flist is mounted there, `conflict` when nobody would take over, `timeout`
 */
export async function upgradeMount(directory: string): Promise<void> {
  const mountpoint = await realpath(directory).catch((cause) => {
    throw new Failure('not-found', `there is no ${directory}`, {
      cause,
      hint: 'name a directory on which a flist is mounted; see: findmnt -t fuse.g8ufs',
    });
  });
  const mount = await findMount(mountpoint);
  if (mount?.type !== 'fuse.g8ufs')
    throw new Failure('not-found', `no flist is mounted on ${directory}`, {
      hint: 'see: findmnt -t fuse.g8ufs',
    });
  const keeper = Number(mount.source);
  const server = serverOf(keeper);
  if (server === undefined)
    throw new Failure(
      'conflict',
      `the mount on ${directory} has no process that would start another server`,
      {
        hint: 'mount it with this version of rfs mount',
      },
    );
  process.kill(keeper, leaveSignal);
  for (const start = performance.now(); serverOf(keeper) === server; await setTimeout(5))
    if (performance.now() - start > patience)
      throw new Failure('timeout', `process ${server}, the server of ${directory}, does not end`, {
        hint: `kill -9 ${server} makes another take over`,
      });
  await statfs(mountpoint); // answered by the next one
}

/** The process that serves for a keeper: its child, or before the first death its parent. Undefined when it keeps nothing. */
export function serverOf(keeper: number): number | undefined {
  try {
    if (!readFileSync(`/proc/${keeper}/cmdline`, 'latin1').startsWith('sh\0')) return undefined;
    const children = readFileSync(`/proc/${keeper}/task/${keeper}/children`, 'latin1').trim();
    if (children !== '') return Number(children.split(' ')[0]);
    return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${keeper}/status`, 'latin1'))?.[1]);
  } catch {
    return undefined;
  }
}
