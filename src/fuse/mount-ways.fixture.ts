/**
 * Mounts as the user who runs it, lets a script read the mount, and unmounts: for tests. Prints what came of it.
 * Arguments: the directory, the script, in which `$1` is the directory.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FuseError } from './fuse-error.ts';
import { beginMount, unmount } from './mount-point.ts';
import { findMount } from './mount-table.ts';

/** What the program prints. */
export type Outcome =
  | { readonly type: string; readonly source: string; readonly output: string; readonly isGone: boolean }
  | { readonly kind: string; readonly message: string; readonly hint?: string; readonly cause?: string };

const [directory, script] = process.argv.slice(2) as [string, string];

async function mountAndRead(): Promise<Outcome> {
  const mount = await beginMount({
    mountpoint: directory,
    source: '4711',
    subtype: 'test',
    options: ['ro', 'nodev', 'allow_other', 'default_permissions'],
  });
  const server = spawn(process.execPath, [join(import.meta.dirname, 'serve.fixture.ts'), '{}'], {
    stdio: ['ignore', 'ignore', 'inherit', mount.device],
  });
  const ended = once(server, 'exit');
  const { mountpoint } = await mount.complete().catch((error) => {
    server.kill(); // it waits for its mount
    throw error;
  });
  const { type, source } = (await findMount(mountpoint))!;
  const { stdout } = await promisify(execFile)('sh', ['-euc', script, 'sh', mountpoint]);
  await unmount(mountpoint);
  await ended;
  return { type, source, output: stdout, isGone: (await findMount(mountpoint)) === undefined };
}

function outcomeOf({ kind, message, hint, cause }: FuseError): Outcome {
  return {
    kind,
    message,
    ...(hint !== undefined && { hint }),
    ...(cause instanceof Error && { cause: cause.message }),
  };
}

console.log(JSON.stringify(await mountAndRead().catch(outcomeOf)));
