/** For the tests of this room: a directory as a flist, made without the packer, and mounts that always come off again. */
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { run } from '../base/exec.ts';
import { type BlockRef, blockSize, encodeBlock } from '../flist/block-codec.ts';
import { type Inode, type Manifest, writeManifest } from '../flist/manifest.ts';
import { openDevice } from '../fuse/device.ts';
import { DirStore } from '../store/dir.ts';
import type { Route } from '../store/route.ts';
import type { Store } from '../store/store.ts';
import { type MountedFlist, type MountFlistOptions, mountFlist } from './mount-flist.ts';

/** Fails a test file at once, with the reason, on a machine where nothing can be mounted. */
export async function requireFuse(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('the mount tests need root: mounting FUSE without fusermount3 does');
  const { closeSync } = await import('node:fs');
  closeSync(openDevice());
}

/** A directory that is gone when the test is over. */
export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mount-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
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
  const root = await scratchDirectory();
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

/** Packs the source directory into the store and the manifest. Returns the blocks in the order of the files. */
export async function packSource(places: Places): Promise<BlockRef[]> {
  const store = new DirStore(places.store);
  const manifest = await manifestOf(places.source, store, [
    { start: 0x00, end: 0xff, url: `dir://${places.store}` },
  ]);
  await writeManifest(places.manifest, manifest);
  return [...manifest.blocks.values()].flat();
}

export async function manifestOf(
  directory: string,
  store: Store,
  routes: readonly Route[],
): Promise<Manifest> {
  const inodes: Inode[] = [];
  const blocks = new Map<number, BlockRef[]>();
  const add = async (path: string, name: string, parent: number): Promise<void> => {
    const stats = await lstat(path);
    const ino = inodes.length + 1;
    inodes.push({
      ino,
      parent,
      name,
      size: stats.size,
      uid: stats.uid,
      gid: stats.gid,
      mode: stats.mode,
      rdev: stats.rdev,
      ctime: Math.floor(stats.ctimeMs / 1000),
      mtime: Math.floor(stats.mtimeMs / 1000),
      ...(stats.isSymbolicLink() && { target: await readlink(path) }),
    });
    if (stats.isFile() && stats.size > 0) blocks.set(ino, await packFile(path, store));
    if (stats.isDirectory())
      for (const child of await readdir(path)) await add(join(path, child), child, ino);
  };
  await add(directory, '/', 0);
  return { inodes, blocks, tags: new Map(), routes };
}

async function packFile(path: string, store: Store): Promise<BlockRef[]> {
  const bytes = await readFile(path);
  const refs: BlockRef[] = [];
  for (let at = 0; at < bytes.length; at += blockSize) {
    const { ref, blob } = await encodeBlock(bytes.subarray(at, at + blockSize));
    await store.put(ref.id, blob);
    refs.push(ref);
  }
  return refs;
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
