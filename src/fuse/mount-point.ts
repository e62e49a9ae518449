import { spawn } from 'node:child_process';
import { realpath, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FuseError } from './fuse-error.ts';
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

/**
 * Mounts an open `/dev/fuse` on a directory with mount(8) of util-linux or busybox. Somebody must serve the device at
 * the same time (`serve`), in another thread. A dead mount that lies on the directory is detached first.
 * @returns the real path of the directory, for `unmount`.
 * @throws FuseError `not-found` when it is no directory, `conflict` when something is mounted there, `denied`,
 * `missing-tool`, or `failed` with what mount(8) said.
 */
export async function mountDevice(fd: number, options: MountOptions): Promise<string> {
  const mountpoint = await freeMountpoint(options.mountpoint);
  const ids = `user_id=${process.getuid?.() ?? 0},group_id=${process.getgid?.() ?? 0}`;
  const flags = [...options.options, 'fd=3', 'rootmode=40000', ids].join(',');
  const result = await command(
    'mount',
    ['-i', '-t', `fuse.${options.subtype}`, '-o', flags, options.source, mountpoint],
    fd,
  );
  if (result.code !== 0) throw mountFailure(mountpoint, result.errors);
  return mountpoint;
}

/**
 * Takes a mount off its directory; one that is in use is detached and ends when its last user does. Fine when nothing
 * is mounted there any more.
 * @throws FuseError `failed` with what umount(8) said.
 */
export async function unmount(mountpoint: string): Promise<void> {
  const plain = await command('umount', [mountpoint]);
  if (plain.code === 0 || (await findMount(mountpoint)) === undefined) return;
  const lazy = await command('umount', ['-l', mountpoint]);
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
  const denied = process.getuid?.() !== 0 || /permission denied|not permitted/i.test(errors);
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

/** Runs a program to its end, from `/` so that no argument is taken for a relative path; `fd` becomes its fd 3. */
function command(program: string, args: string[], fd?: number): Promise<{ code: number; errors: string }> {
  return new Promise((done, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe', ...(fd === undefined ? [] : [fd])],
    });
    let errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', (cause) =>
      reject(
        new FuseError('missing-tool', `cannot run ${program}`, {
          cause,
          hint: 'install the Debian package mount, or busybox',
        }),
      ),
    );
    child.on('close', (code) => done({ code: code ?? 1, errors: errors.trim() }));
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
