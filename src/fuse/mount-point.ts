import { closeSync } from 'node:fs';
import { realpath, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { command, type Ended } from './command.ts';
import { openDevice } from './device.ts';
import { FuseError } from './fuse-error.ts';
import { mountByFusermount, unmountByFusermount } from './fusermount.ts';
import { findMount } from './mount-table.ts';

export interface MountOptions {
  /** An existing directory. */
  readonly mountpoint: string;
  /** What `/proc/mounts` shows as the source. */
  readonly source: string;
  /** The type becomes `fuse.SUBTYPE`. */
  readonly subtype: string;
  /** Options for mount(8) beside those of FUSE itself: `ro`, `nodev`, `allow_other`, … */
  readonly options: readonly string[];
}

/** Kernel readahead of a mount in KiB: one request of the largest size. The kernel's own default is 128. */
const readaheadKib = 1024;

/** A connection to the kernel that has its directory, or gets it when somebody serves it. */
export interface BegunMount {
  /** The open `/dev/fuse`. */
  readonly device: number;
  /**
   * Mounts, where that is not done yet.
   * @param source what `/proc/mounts` shall show in place of what was said before
   * @returns the real path of the directory, for `unmount`, and the source that is shown
   */
  complete(source?: string): Promise<{ readonly mountpoint: string; readonly source: string }>;
  /** Closes the device, and takes off what is mounted. */
  abandon(): Promise<void>;
}

/** How this user mounts: root (also that of a user namespace) by mount(8), others by fusermount3(1). */
export function mountWay(): 'mount' | 'fusermount' {
  return process.geteuid?.() === 0 ? 'mount' : 'fusermount';
}

/**
 * Opens a connection for a directory in the way that is open to this user. To be completed while somebody serves the device in
 * another thread. A dead mount that lies on the directory is detached first.
 * @throws FuseError of `openDevice` and `mountDevice`; `missing-tool` without root and without fusermount3 or koffi
 */
export async function beginMount(options: MountOptions): Promise<BegunMount> {
  const mountpoint = await freeMountpoint(options.mountpoint);
  if (mountWay() === 'mount') {
    const device = openDevice();
    return {
      device,
      async complete(source = options.source) {
        await mountOn(mountpoint, device, { ...options, source });
        return { mountpoint, source };
      },
      abandon: async () => closeSync(device),
    };
  }
  const device = await mountByFusermount(mountpoint, options);
  return {
    device,
    complete: async () => ({ mountpoint, source: options.source }),
    async abandon() {
      closeSync(device);
      await unmount(mountpoint);
    },
  };
}

/**
 * Mounts an open `/dev/fuse` on a directory with mount(8) of util-linux or busybox. Somebody must serve the device at
 * the same time (`serve`), in another thread. A dead mount that lies on the directory is detached first.
 * @returns the real path of the directory, for `unmount`.
 * @throws FuseError `not-found` when it is no directory, `conflict` when something is mounted there, `denied`,
 * `missing-tool`, or `failed` with what mount(8) said.
 */
export async function mountDevice(fd: number, options: MountOptions): Promise<string> {
  const mountpoint = await freeMountpoint(options.mountpoint);
  await mountOn(mountpoint, fd, options);
  return mountpoint;
}

async function mountOn(mountpoint: string, fd: number, options: MountOptions): Promise<void> {
  const ids = `user_id=${process.getuid?.() ?? 0},group_id=${process.getgid?.() ?? 0}`;
  const flags = [...options.options, 'fd=3', 'rootmode=40000', ids].join(',');
  const args = ['-i', '-t', `fuse.${options.subtype}`, '-o', flags, options.source, mountpoint];
  const ended = await orMissing('mount', command('mount', args, { fd }));
  if (ended.code !== 0) throw mountFailure(mountpoint, ended.errors);
}

/**
 * Takes a mount off its directory; one that is in use is detached and ends when its last user does. Fine when nothing
 * is mounted there any more.
 * @throws FuseError `failed` with what umount(8) or fusermount3(1) said.
 */
export async function unmount(mountpoint: string): Promise<void> {
  const takeOff =
    mountWay() === 'mount'
      ? (lazy: boolean) => orMissing('umount', command('umount', [...(lazy ? ['-l'] : []), mountpoint]))
      : (lazy: boolean) => unmountByFusermount(mountpoint, lazy);
  const plain = await takeOff(false);
  if (plain.code === 0 || (await findMount(mountpoint)) === undefined) return;
  const lazy = await takeOff(true);
  if (lazy.code !== 0 && (await findMount(mountpoint)) !== undefined)
    throw new FuseError('failed', `cannot unmount ${mountpoint}`, { cause: new Error(lazy.errors) });
}

/** The real path of a directory on which nothing is mounted, after dead FUSE mounts are gone from it. */
async function freeMountpoint(directory: string): Promise<string> {
  const mountpoint = await realDirectory(directory);
  for (;;) {
    const mount = await findMount(mountpoint);
    if (mount === undefined) return mountpoint;
    if (!mount.type.startsWith('fuse') || (await stat(mountpoint).catch(codeOf)) !== 'ENOTCONN')
      throw new FuseError('conflict', `${mountpoint} is already a mountpoint (${mount.type})`, {
        hint: `choose another directory, or: umount ${mountpoint}`,
      });
    await unmount(mountpoint);
  }
}

async function realDirectory(directory: string): Promise<string> {
  const path = resolve(directory);
  try {
    const real = await realpath(path);
    const usable = await stat(real).then(
      (found) => found.isDirectory(),
      (error) => codeOf(error) === 'ENOTCONN' || Promise.reject(error), // a dead mount, so it is a directory
    );
    if (usable) return real;
  } catch (cause) {
    throw new FuseError('not-found', `cannot mount on ${directory}`, {
      cause,
      hint: `mkdir -p ${directory}`,
    });
  }
  throw new FuseError('not-found', `cannot mount on ${directory}: it is not a directory`);
}

function mountFailure(mountpoint: string, errors: string): FuseError {
  const denied = /permission denied|not permitted|superuser/i.test(errors);
  return new FuseError(denied ? 'denied' : 'failed', `cannot mount on ${mountpoint}`, {
    cause: new Error(errors || 'mount(8) gave no reason'),
    ...(denied && { hint: 'mounting needs root with CAP_SYS_ADMIN; in a container: --privileged' }),
  });
}

/**
 * Raises the kernel's readahead of a mount, where sysfs is there and may be written: `/sys/class/bdi/MAJOR:MINOR`
 * (sysfs-class-bdi). Only of use once the session has started: the reply to INIT sets it back to the kernel's default.
 */
export async function raiseReadahead(mountpoint: string): Promise<void> {
  const mount = await findMount(mountpoint);
  if (mount === undefined) return;
  await writeFile(`/sys/class/bdi/${mount.device}/read_ahead_kb`, `${readaheadKib}`, { flag: 'r+' }).catch(
    () => {},
  );
}

async function orMissing(program: string, running: Promise<Ended | undefined>): Promise<Ended> {
  const ended = await running;
  if (ended !== undefined) return ended;
  throw new FuseError('missing-tool', `cannot run ${program}`, {
    hint: 'install the Debian package mount, or busybox',
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
