/** Messages that the kernel did not ask for, as bodies of a reply to request 0 (`linux/fuse.h`, `fuse_notify_…_out`). */
import { notifyCode, replyHeaderSize } from './protocol.ts';

/** `struct fuse_out_header` of a notification with `bodySize` bytes behind it. */
export function encodeNotifyHeader(code: number, bodySize: number): Buffer {
  const header = Buffer.alloc(replyHeaderSize);
  header.writeUInt32LE(replyHeaderSize + bodySize, 0);
  header.writeInt32LE(code, 4);
  return header;
}

/** `struct fuse_notify_store_out` and the bytes of a file from `offset` on. */
export function encodeStore(node: number, offset: number, bytes: readonly Uint8Array[]): Uint8Array[] {
  const size = bytes.reduce((sum, piece) => sum + piece.length, 0);
  const start = Buffer.alloc(24);
  start.writeBigUInt64LE(BigInt(node), 0);
  start.writeBigUInt64LE(BigInt(offset), 8);
  start.writeUInt32LE(size, 16);
  return [encodeNotifyHeader(notifyCode.store, start.length + size), start, ...bytes];
}

/** `struct fuse_notify_inval_inode_out`: the pages of a range, where length 0 is all to the end, and the attributes. */
export function encodeInvalidateInode(node: number, offset: number, length: number): Uint8Array[] {
  const body = Buffer.alloc(24);
  body.writeBigUInt64LE(BigInt(node), 0);
  body.writeBigInt64LE(BigInt(offset), 8);
  body.writeBigInt64LE(BigInt(length), 16);
  return [encodeNotifyHeader(notifyCode.invalidateInode, body.length), body];
}

/** `struct fuse_notify_inval_entry_out`: a name in a directory, there or missing. */
export function encodeInvalidateEntry(directory: number, name: Uint8Array): Uint8Array[] {
  const body = Buffer.alloc(16 + name.length + 1);
  body.writeBigUInt64LE(BigInt(directory), 0);
  body.writeUInt32LE(name.length, 8);
  body.set(name, 16);
  return [encodeNotifyHeader(notifyCode.invalidateEntry, body.length), body];
}

/** Asks for all requests again that were read and not answered. */
export function encodeResend(): Uint8Array[] {
  return [encodeNotifyHeader(notifyCode.resend, 0)];
}
