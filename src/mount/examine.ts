import { mkdtemp, readFile, rmdir, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeError, errnoOf, Failure } from '../base/errors.ts';
import { manifestOf } from '../flist/manifest/manifest.ts';
import { checkBacking } from '../fuse/backing.ts';
import { mountWay } from '../fuse/mount-point.ts';
import { findMount } from '../fuse/mount-table.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import { MemoryStore } from '../store/memory.ts';
import { asFailure } from './fuse-failure.ts';
import { mountFlist } from './mount-flist.ts';

/** Something that does not work, and what would make it. */
export interface Obstacle {
  readonly why: string;
  readonly hint?: string;
}

/** What a mount of this user on this machine can do. */
export interface MountReport {
  /** How this user mounts: by mount(8) or by fusermount3(1). */
  readonly way: 'mount' | 'fusermount';
  /** What a mount for trial found; or why there could be none. */
  readonly mount: TrialMount | Obstacle;
  /** Whether the kernel reads large cached files by itself; or why not. */
  readonly passthrough: 'yes' | Obstacle;
}

export interface TrialMount {
  /** As `7.45`. */
  readonly protocol: string;
  readonly features: NegotiatedSession['features'];
  /** How far the kernel reads ahead, in KiB. */
  readonly readahead: number;
}

/**
 * Finds out what a mount can do here, by mounting an empty flist for a moment.
 * @param cache the directory of the cache, which need not exist
 */
export async function examineMounting(cache: string): Promise<MountReport> {
  const mount = await tryMount().catch((error: unknown) => obstacleOf(error));
  return { way: mountWay(), mount, passthrough: await passthroughOf(mount, cache) };
}

/** Whether it is an obstacle. */
export function isObstacle(finding: object | string): finding is Obstacle {
  return typeof finding === 'object' && 'why' in finding;
}

async function tryMount(): Promise<TrialMount> {
  const mountpoint = await mkdtemp(join(tmpdir(), 'rfs-doctor-'));
  try {
    const root = {
      ino: 1,
      parent: 0,
      name: '/',
      size: 0,
      mode: 0o040755,
      uid: 0,
      gid: 0,
      rdev: 0,
      ctime: 0,
      mtime: 0,
    };
    const mounted = await mountFlist({
      manifest: manifestOf({ inodes: [root] }),
      mountpoint,
      store: new MemoryStore(),
      cache: '/dev/null/none', // nothing is read
      io: 'passthrough',
      log: () => {},
    });
    try {
      const { minor, features } = mounted.session;
      return { protocol: `7.${minor}`, features, readahead: await readaheadOf(mountpoint) };
    } finally {
      await mounted.unmount();
      await mounted.done;
    }
  } finally {
    await rmdir(mountpoint);
  }
}

/** As sysfs shows it, or what the kernel begins with. */
async function readaheadOf(mountpoint: string): Promise<number> {
  const mount = await findMount(mountpoint);
  const text = await readFile(`/sys/class/bdi/${mount?.device}/read_ahead_kb`, 'utf8').catch(() => '128');
  return Number(text);
}

async function passthroughOf(mount: TrialMount | Obstacle, cache: string): Promise<'yes' | Obstacle> {
  try {
    checkBacking();
  } catch (error) {
    return obstacleOf(asFailure(error));
  }
  if (isObstacle(mount)) return { why: 'nothing can be mounted' };
  if (!mount.features.includes('passthrough'))
    return {
      why: `the kernel speaks FUSE ${mount.protocol} without it`,
      hint: 'it takes Linux 6.9 or newer with CONFIG_FUSE_PASSTHROUGH',
    };
  if ((await fileSystemOf(cache)) === overlay)
    return {
      why: `the cache in ${cache} lies on an overlay`,
      hint: 'put the cache on a file system of its own: --cache',
    };
  return 'yes';
}

/** `OVERLAYFS_SUPER_MAGIC` (statfs(2)). */
const overlay = 0x794c7630;

/** The type of the file system of a directory, or of the nearest one above it that there is. */
async function fileSystemOf(directory: string): Promise<number> {
  try {
    return (await statfs(directory)).type;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || directory === dirname(directory)) throw error;
    return fileSystemOf(dirname(directory));
  }
}

function obstacleOf(error: unknown): Obstacle {
  if (!(error instanceof Failure)) throw error;
  return { why: describeError(error), ...(error.hint !== undefined && { hint: error.hint }) };
}
