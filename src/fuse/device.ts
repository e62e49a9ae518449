import { openSync, readSync, writevSync } from 'node:fs';
import { constants } from 'node:os';
import { FuseError } from './fuse-error.ts';
import { type Errno, interruptBit } from './protocol.ts';
import { encodeHeader } from './reply.ts';

const devicePath = '/dev/fuse';

/**
 * Opens a new connection to the FUSE driver of the kernel; mounting (`mountDevice`) gives it a filesystem.
 * @throws FuseError `unavailable` when the kernel has no FUSE, `denied` when the device may not be opened.
 */
export function openDevice(): number {
  try {
    return openSync(devicePath, 'r+');
  } catch (cause) {
    const denied = codeOf(cause) === 'EACCES' || codeOf(cause) === 'EPERM';
    throw new FuseError(denied ? 'denied' : 'unavailable', `no FUSE: cannot open ${devicePath}`, {
      cause,
      hint: denied
        ? `run as root, or give this user and container the device ${devicePath}`
        : `load the module (modprobe fuse), or start the container with --device ${devicePath}`,
    });
  }
}

/** What one read of the device gave: the length of a request, or why there is none. */
export type Received = number | 'unmounted' | 'not-mounted-yet';

/** Waits for the next request and reads it into `buffer` (at least 8 KiB, `FUSE_MIN_READ_BUFFER`). Blocks the thread. */
export function receive(fd: number, buffer: Buffer): Received {
  for (;;) {
    try {
      return readSync(fd, buffer);
    } catch (error) {
      switch (codeOf(error)) {
        case 'EINTR':
        case 'EAGAIN':
        case 'ENOENT': // the request was interrupted before it could be read
          continue;
        case 'ENODEV':
        case 'ECONNABORTED':
          return 'unmounted';
        case 'EPERM':
          return 'not-mounted-yet';
        default:
          throw error;
      }
    }
  }
}

/**
 * Answers a request: with an error number, or with the bytes of a body in pieces. May be called from any thread of the
 * process that has the device open. A request that nobody waits for any more is no error.
 * @returns whether somebody still waited
 */
export function sendReply(fd: number, unique: bigint, answer: Errno | readonly Uint8Array[]): boolean {
  const body = typeof answer === 'number' ? [] : answer;
  const size = body.reduce((sum, piece) => sum + piece.length, 0);
  return writeDevice(fd, [encodeHeader(unique, typeof answer === 'number' ? answer : 0, size), ...body]);
}

/**
 * Whether a request was read and not answered yet. The kernel takes the question for the answer to an interrupt of that request, of which
 * only EAGAIN and ENOSYS mean something to it (`fuse_dev_do_write`).
 */
export function isAwaited(fd: number, unique: bigint): boolean {
  return sendReply(fd, unique | interruptBit, constants.errno.EINTR);
}

/** Errors of a message about what the kernel no longer knows, or for a mount that has ended. */
const tooLate: readonly (string | undefined)[] = ['ENOENT', 'ENODEV', 'ECONNABORTED'];

/** Writes one message; false when it comes too late, or is refused with the error that is named. */
export function writeDevice(fd: number, pieces: readonly Uint8Array[], refusal?: string): boolean {
  try {
    writevSync(fd, pieces);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (!tooLate.includes(code) && (refusal === undefined || code !== refusal)) throw error;
    return false;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
