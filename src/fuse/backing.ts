/**
 * Files that the kernel reads by itself in place of one of the filesystem (passthrough, protocol 7.40, Linux 6.9). Giving it one is
 * an ioctl, for which Node has no call: it takes the npm package koffi, and root.
 */
import { readFileSync } from 'node:fs';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { FuseError } from './fuse-error.ts';
import { type Koffi, loadKoffi } from './koffi.ts';

/** `FUSE_DEV_IOC_BACKING_OPEN`, which takes a `struct fuse_backing_map`, and `FUSE_DEV_IOC_BACKING_CLOSE`, a number. */
const backingOpen = 0x4010e501;
const backingClose = 0x4004e502;

/** The ioctl(2) of a descriptor, a request and its argument: a result, or an errno as a negative number. */
type Ioctl = (fd: number, request: number, argument: Buffer) => number;

let loaded: Ioctl | undefined;

/** @throws FuseError `missing-tool` without koffi. */
function ioctl(): Ioctl {
  loaded ??= bind(loadKoffi('passthrough'));
  return loaded;
}

function bind(koffi: Koffi): Ioctl {
  const call = koffi.load(null).func('int ioctl(int fd, unsigned long request, void *argument)');
  return (fd, request, argument) => {
    const result = call(fd, request, argument) as number;
    return result < 0 ? -koffi.errno() : result;
  };
}

/** Whether files can be given to the kernel at all, as far as this machine is known without a mount. @throws FuseError why not. */
export function checkBacking(): void {
  ioctl();
  if (process.geteuid?.() !== 0 || !isInitialUserNamespace()) throw denied();
}

/** Root of another user namespace has no rights here (user_namespaces(7)). */
function isInitialUserNamespace(): boolean {
  return readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).join(' ') === '0 0 4294967295';
}

/**
 * Gives the kernel of a mount an open file that it shall read by itself, until `closeBacking`. The descriptor may be closed at once.
 * @returns the number by which the answer to OPEN names it
 * @throws FuseError `missing-tool` without koffi, `denied` without root, `unavailable` where the kernel does not do it, or not with
 * files of that file system; `failed` for this file and this time.
 */
export function openBacking(device: number, fd: number): number {
  const map = Buffer.alloc(16);
  map.writeInt32LE(fd, 0);
  const id = ioctl()(device, backingOpen, map);
  if (id > 0) return id;
  switch (getSystemErrorName(id)) {
    case 'EPERM':
      throw denied();
    case 'ELOOP':
      throw new FuseError('unavailable', 'passthrough does not work with files on a stacked file system', {
        hint: 'put the cache on a file system of its own, such as ext4 or tmpfs, not on an overlay',
      });
    case 'ENOTTY':
    case 'ENOSYS':
    case 'ENOTSUP':
      throw new FuseError('unavailable', `the kernel does not take files: ${getSystemErrorMessage(id)}`, {
        hint: 'passthrough needs Linux 6.9 or newer with CONFIG_FUSE_PASSTHROUGH',
      });
    default:
      throw new FuseError('failed', `the kernel did not take a file: ${getSystemErrorMessage(id)}`);
  }
}

/** Ends what `openBacking` began. Who has the file open goes on reading. Fine when it has ended before, or with the mount. */
export function closeBacking(device: number, id: number): void {
  const argument = Buffer.alloc(4);
  argument.writeUInt32LE(id, 0);
  ioctl()(device, backingClose, argument);
}

function denied(): FuseError {
  return new FuseError('denied', 'passthrough was not agreed on with the kernel, or needs root', {
    hint: 'run as root, not in a user namespace, on Linux 6.9 or newer',
  });
}
