/**
 * What is told to the kernel without being asked. Each may be called from any thread of a process that has the device open.
 * What the kernel no longer knows, or a mount that has ended, is no error.
 */
import { writeDevice } from './device.ts';
import { encodeInvalidateEntry, encodeInvalidateInode, encodeResend, encodeStore } from './notification.ts';

/** What a kernel says of a notification that it does not know. */
const unknownCode = 'EINVAL';

/**
 * Gives the kernel bytes of a file for its page cache, so that it need not ask for them: whole pages, or up to the end of the file.
 * Waits for pages that are being read: never call it from the thread that has to answer that read.
 * @returns whether the kernel took them; false when it does not know the node (any more)
 */
export function notifyStore(
  fd: number,
  node: number,
  offset: number,
  ...bytes: readonly Uint8Array[]
): boolean {
  return writeDevice(fd, encodeStore(node, offset, bytes), 'ENOMEM');
}

/**
 * Makes the kernel forget the attributes of a node, and the pages of its file from `offset` on; `length` 0 means to the end, and a
 * negative offset none. Waits for pages that are being read, as `notifyStore` does.
 */
export function notifyInvalidate(fd: number, node: number, offset = 0, length = 0): boolean {
  return writeDevice(fd, encodeInvalidateInode(node, offset, length));
}

/** Makes the kernel forget a name of a directory, or that there is none. Waits for a lookup of it. */
export function notifyInvalidateEntry(fd: number, directory: number, name: Uint8Array): boolean {
  return writeDevice(fd, encodeInvalidateEntry(directory, name));
}

/**
 * Makes the kernel send again what was read by a server that did not answer (protocol 7.40; `Feature` resend).
 * @returns false where the kernel cannot: then those requests stay without an answer until their processes are killed
 */
export function notifyResend(fd: number): boolean {
  return writeDevice(fd, encodeResend(), unknownCode);
}
