/**
 * The numbers of the FUSE kernel protocol, versions 7.31 to 7.45 (`linux/fuse.h`; struct layouts in `request.ts` and
 * `reply.ts`). The protocol is in the byte order of the machine; this room speaks little-endian only (x86-64, arm64).
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
  setxattr: 21,
  removexattr: 24,
  init: 26,
  opendir: 27,
  readdir: 28,
  create: 35,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  copyFileRange: 47,
  tmpfile: 51,
} as const;

/** Flags of the INIT request and its reply (`FUSE_*`), the low 32 bits. */
export const initFlag = {
  asyncRead: 1 << 0,
  doReaddirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  noOpenSupport: 1 << 17,
  parallelDirops: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  noOpendirSupport: 1 << 24,
  explicitInvalData: 1 << 25,
} as const;

/** Bytes of `struct fuse_in_header` and `struct fuse_out_header`. */
export const requestHeaderSize = 40;
export const replyHeaderSize = 16;

/** The largest READ that the protocol can carry to us: `max_pages` of 256 on a kernel with 64 KiB pages, doubled. */
export const largestRead = 32 * 1024 * 1024;

/** A Linux error number, as in errno(3): greater than zero. */
export type Errno = number;
