/**
 * The numbers of the FUSE kernel protocol, versions 7.31 to 7.45 (`linux/fuse.h`; struct layouts in `request.ts`,
 * `reply.ts` and `notification.ts`). The protocol is in the byte order of the machine; this room speaks little-endian
 * only (x86-64, arm64).
 */
export const protocolMajor = 7;
/** The oldest minor version that is served: Linux 5.4. */
export const oldestMinor = 31;
/** The newest minor version whose structures are known; an older kernel uses its own. */
export const newestMinor = 45;

/** The node id of the root directory (`FUSE_ROOT_ID`). */
export const rootNode = 1;

/** `enum fuse_opcode`, as far as a read-only filesystem tells them apart. */
export const opcode = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  tmpfile: 51,
  statx: 52,
  copyFileRange64: 53,
} as const;

/** `enum fuse_notify_code`, as far as we send them. */
export const notifyCode = {
  invalidateInode: 2,
  invalidateEntry: 3,
  store: 4,
  resend: 7,
} as const;

/** The bits of what both sides can agree on by INIT (`FUSE_*`); those from 32 on travel in `flags2`. */
export const featureBit = {
  asyncRead: 0,
  doReaddirplus: 13,
  readdirplusAuto: 14,
  noOpenSupport: 17,
  parallelDirops: 18,
  posixAcl: 20,
  maxPages: 22,
  cacheSymlinks: 23,
  noOpendirSupport: 24,
  explicitInvalData: 25,
  initExt: 30,
  passthrough: 37,
  resend: 39,
} as const;

/** A part of the protocol that is used only when kernel and filesystem agree on it. */
export type Feature = keyof typeof featureBit;

/** Flags of the reply to OPEN (`FOPEN_*`). */
export const openFlag = {
  directIo: 1 << 0,
  keepCache: 1 << 1,
  noFlush: 1 << 5,
  passthrough: 1 << 7,
} as const;

/** The bit of a request's `unique` which says that it was asked before, of somebody who did not answer (`FUSE_UNIQUE_RESEND`). */
export const resentBit = 1n << 63n;

/** The bit of a request's `unique` which says that it interrupts the request with that number (`FUSE_INT_REQ_BIT`). */
export const interruptBit = 1n;

/** Bytes of `struct fuse_in_header` and `struct fuse_out_header`. */
export const requestHeaderSize = 40;
export const replyHeaderSize = 16;

/** The largest READ that the protocol can carry to us: `max_pages` of 256 on a kernel with 64 KiB pages, doubled. */
export const largestRead = 32 * 1024 * 1024;

/** A Linux error number, as in errno(3): greater than zero. */
export type Errno = number;
