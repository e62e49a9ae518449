/** For tests that mount: a directory as a flist, and mounts that always come off again. */
import { closeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run } from '../base/exec.ts';
import { packTree } from '../flist/pack.ts';
import { openDevice } from '../fuse/device.ts';
import { DirStore } from '../store/dir/dir.ts';
import { testDirectory } from '../store/test-directory.ts';
import { treeFromDirectory } from '../tree/from-directory.ts';
import { type MountedFlist, type MountFlistOptions, mountFlist } from './mount-flist.ts';

/** Fails a test file at once, with the reason, on a machine where nothing can be mounted. */
export function requireFuse(): void {
  if (process.getuid?.() !== 0)
    throw new Error('these tests mount, and mounting needs root: run them as root');
  closeSync(openDevice());
}

/** The places of one test: the packed files, and where they are mounted. */
export interface Places {
  readonly source: string;
  readonly manifest: string;
  readonly store: string;
  readonly cache: string;
  readonly mountpoint: string;
}

export async function makePlaces(): Promise<Places> {
  const root = await testDirectory();
  const places = {
    source: join(root, 'source'),
    manifest: join(root, 'test.fl'),
    store: join(root, 'store'),
    cache: join(root, 'cache'),
    mountpoint: join(root, 'mnt'),
  };
  for (const directory of [places.source, places.store, places.mountpoint]) await mkdir(directory);
  return places;
}

/** Packs the source directory into the store and the manifest. */
export async function packSource(places: Places): Promise<void> {
  await packTree(await treeFromDirectory(places.source), {
    manifest: places.manifest,
    store: new DirStore(places.store),
    routes: [{ start: 0x00, end: 0xff, url: `dir://${places.store}` }],
  });
}

export interface TestMount extends MountedFlist {
  /** What the mount logged so far. */
  readonly lines: readonly string[];
}

/** Mounts for the time of a test. */
export async function mountForTest(
  places: Places,
  options: Partial<MountFlistOptions> = {},
): Promise<TestMount> {
  const lines: string[] = [];
  const mounted = await mountFlist({
    ...places,
    store: new DirStore(places.store),
    log: (line) => lines.push(line),
    ...options,
  });
  onTestFinished(async () => {
    await mounted.unmount();
    await mounted.done;
  });
  return Object.assign(mounted, { lines });
}

/** Runs a shell script in another process, as every user of a mount must be, and returns what it prints. */
export async function sh(script: string, ...args: string[]): Promise<string> {
  return (await run('sh', ['-euc', script, 'sh', ...args], { timeout: 50_000 })).stdout.toString();
}
