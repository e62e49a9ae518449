import { type Errno, openFlag, replyHeaderSize } from './protocol.ts';

/** What stat(2) shows of a node. Sizes in bytes, times in whole seconds since the epoch and nanoseconds on top (0 when left out). */
export interface Attributes {
  readonly ino: number;
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly atimeNs?: number;
  readonly mtimeNs?: number;
  readonly ctimeNs?: number;
  /** File type and permission bits, as st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number as the kernel encodes it for user space (`new_encode_dev`). */
  readonly rdev: number;
  readonly blksize: number;
}

/** What statx(2) shows of a node beyond `Attributes`. */
export interface ExtendedAttributes extends Attributes {
  /** The birth of the node, in whole seconds since the epoch and nanoseconds on top. */
  readonly btime?: number;
  readonly btimeNs?: number;
}

/**
 * How a file is opened: `cached`, its pages are kept from one opening to the next; `direct`, nothing is kept; `passthrough`,
 * the kernel itself reads a file that was given to it (`openBacking`), and asks for nothing more.
 */
export type OpenAnswer =
  | { readonly mode: 'cached' | 'direct' }
  | { readonly mode: 'passthrough'; readonly backing: number };

/** A node as a LOOKUP answers it. Node 0 means that there is no such name, which the kernel then remembers. */
export interface Entry {
  readonly node: number;
  readonly attributes: Attributes;
}

export interface DirectoryEntry extends Entry {
  readonly name: Uint8Array;
  /** The offset at which a listing goes on after this entry. */
  readonly next: number;
}

/** What statfs(2) shows. Blocks are of `bsize` bytes. */
export interface Statfs {
  readonly blocks: number;
  readonly bfree: number;
  readonly bavail: number;
  readonly files: number;
  readonly ffree: number;
  readonly bsize: number;
  readonly namelen: number;
}

export interface InitReply {
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: number;
  readonly flags2: number;
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly maxWrite: number;
  readonly maxPages: number;
  /** How many file systems may lie on each other, this one being the lowest, for passthrough; 0 without it. */
  readonly maxStackDepth: number;
}

const attributesSize = 88;
const entrySize = 40 + attributesSize;
const direntSize = 24;

/** The answer for a name that does not exist, with a lifetime (`nodeid` 0). */
export const noEntry: Entry = {
  node: 0,
  attributes: {
    ino: 0,
    size: 0,
    blocks: 0,
    atime: 0,
    mtime: 0,
    ctime: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    blksize: 0,
  },
};

/** `struct fuse_out_header` for a reply with `bodySize` bytes behind it; a non-zero `errno` means failure, and no body. */
export function encodeHeader(unique: bigint, errno: Errno, bodySize: number): Buffer {
  const header = Buffer.allocUnsafe(replyHeaderSize);
  header.writeUInt32LE(replyHeaderSize + bodySize, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/** `struct fuse_init_out`, 64 bytes since 7.23; what an older kernel does not know of it must be 0. */
export function encodeInit(major: number, reply: InitReply): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(major, 0);
  body.writeUInt32LE(reply.minor, 4);
  body.writeUInt32LE(reply.maxReadahead, 8);
  body.writeUInt32LE(reply.flags >>> 0, 12);
  body.writeUInt16LE(reply.maxBackground, 16);
  body.writeUInt16LE(reply.congestionThreshold, 18);
  body.writeUInt32LE(reply.maxWrite, 20);
  body.writeUInt32LE(1, 24); // time_gran: nanoseconds
  body.writeUInt16LE(reply.maxPages, 28);
  body.writeUInt32LE(reply.flags2 >>> 0, 32);
  body.writeUInt32LE(reply.maxStackDepth, 36);
  return body;
}

/** `struct fuse_entry_out`: name and attributes stay valid for `lifetime` seconds. */
export function encodeEntry(entry: Entry, lifetime: number): Buffer {
  const body = Buffer.allocUnsafe(entrySize);
  writeEntry(body, 0, entry, lifetime);
  return body;
}

/** `struct fuse_attr_out`: the attributes stay valid for `lifetime` seconds. */
export function encodeAttributes(attributes: Attributes, lifetime: number): Buffer {
  const body = Buffer.allocUnsafe(16 + attributesSize);
  writeUInt64(body, 0, lifetime);
  writeUInt64(body, 8, 0);
  writeAttributes(body, 16, attributes);
  return body;
}

const statxSize = 256;
const statxBasicStats = 0x7ff;
const statxBtime = 0x800;

/** `struct fuse_statx_out` (7.39): the attributes stay valid for `lifetime` seconds. */
export function encodeStatx(attributes: ExtendedAttributes, lifetime: number): Buffer {
  const body = Buffer.alloc(32 + statxSize);
  writeUInt64(body, 0, lifetime);
  const at = 32;
  body.writeUInt32LE(statxBasicStats | (attributes.btime === undefined ? 0 : statxBtime), at);
  body.writeUInt32LE(attributes.blksize, at + 4);
  body.writeUInt32LE(attributes.nlink, at + 16);
  body.writeUInt32LE(attributes.uid, at + 20);
  body.writeUInt32LE(attributes.gid, at + 24);
  body.writeUInt16LE(attributes.mode, at + 28);
  writeUInt64(body, at + 32, attributes.ino);
  writeUInt64(body, at + 40, attributes.size);
  writeUInt64(body, at + 48, attributes.blocks);
  writeStatxTime(body, at + 64, attributes.atime, attributes.atimeNs);
  writeStatxTime(body, at + 80, attributes.btime ?? 0, attributes.btimeNs);
  writeStatxTime(body, at + 96, attributes.ctime, attributes.ctimeNs);
  writeStatxTime(body, at + 112, attributes.mtime, attributes.mtimeNs);
  body.writeUInt32LE((attributes.rdev >>> 8) & 0xfff, at + 128);
  body.writeUInt32LE((attributes.rdev & 0xff) | ((attributes.rdev >>> 12) & 0xfff00), at + 132);
  return body;
}

/** `struct fuse_open_out`. No handle is needed: the node says it all. */
export function encodeOpen(answer: OpenAnswer): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(openFlags(answer) | openFlag.noFlush, 8);
  if (answer.mode === 'passthrough') body.writeInt32LE(answer.backing, 12);
  return body;
}

function openFlags({ mode }: OpenAnswer): number {
  switch (mode) {
    case 'cached':
      return openFlag.keepCache;
    case 'direct':
      return openFlag.directIo;
    case 'passthrough':
      return openFlag.passthrough;
  }
}

/** `struct fuse_getxattr_out`: how many bytes the value, or all names, would take. */
export function encodeXattrSize(size: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(size, 0);
  return body;
}

/** The names of extended attributes as listxattr(2) gives them, each with a NUL. */
export function encodeXattrNames(names: readonly Uint8Array[]): Buffer {
  return Buffer.concat(names.flatMap((name) => [name, Buffer.of(0)]));
}

/** `struct fuse_lseek_out`. */
export function encodeLseek(offset: number): Buffer {
  const body = Buffer.allocUnsafe(8);
  writeUInt64(body, 0, offset);
  return body;
}

/** `struct fuse_statfs_out`. */
export function encodeStatfs(statfs: Statfs): Buffer {
  const body = Buffer.alloc(80);
  writeUInt64(body, 0, statfs.blocks);
  writeUInt64(body, 8, statfs.bfree);
  writeUInt64(body, 16, statfs.bavail);
  writeUInt64(body, 24, statfs.files);
  writeUInt64(body, 32, statfs.ffree);
  body.writeUInt32LE(statfs.bsize, 40);
  body.writeUInt32LE(statfs.namelen, 44);
  body.writeUInt32LE(statfs.bsize, 48); // frsize
  return body;
}

/** Collects directory entries until the reply is full: `struct fuse_dirent` or, for READDIRPLUS, `fuse_direntplus`. */
export class DirectoryReply {
  readonly #body: Buffer;
  readonly #plus: boolean;
  readonly #lifetime: number;
  #end = 0;

  /** @param limit bytes that the kernel has room for */
  constructor(limit: number, plus: boolean, lifetime: number) {
    this.#body = Buffer.allocUnsafe(limit);
    this.#plus = plus;
    this.#lifetime = lifetime;
  }

  /** Adds an entry; false when it does not fit any more. */
  add(entry: DirectoryEntry): boolean {
    const start = this.#end;
    const dirent = this.#plus ? start + entrySize : start;
    const nameEnd = dirent + direntSize + entry.name.length;
    const end = (nameEnd + 7) & ~7;
    if (end > this.#body.length) return false;
    if (this.#plus) writeEntry(this.#body, start, entry, this.#lifetime);
    writeUInt64(this.#body, dirent, entry.attributes.ino);
    writeUInt64(this.#body, dirent + 8, entry.next);
    this.#body.writeUInt32LE(entry.name.length, dirent + 16);
    this.#body.writeUInt32LE((entry.attributes.mode >>> 12) & 0o17, dirent + 20);
    this.#body.set(entry.name, dirent + direntSize);
    this.#body.fill(0, nameEnd, end);
    this.#end = end;
    return true;
  }

  get bytes(): Buffer {
    return this.#body.subarray(0, this.#end);
  }
}

function writeEntry(to: Buffer, at: number, entry: Entry, lifetime: number): void {
  writeUInt64(to, at, entry.node);
  writeUInt64(to, at + 8, 0); // generation
  writeUInt64(to, at + 16, lifetime);
  writeUInt64(to, at + 24, lifetime);
  writeUInt64(to, at + 32, 0); // the nanoseconds of both
  writeAttributes(to, at + 40, entry.attributes);
}

function writeAttributes(to: Buffer, at: number, attributes: Attributes): void {
  writeUInt64(to, at, attributes.ino);
  writeUInt64(to, at + 8, attributes.size);
  writeUInt64(to, at + 16, attributes.blocks);
  writeUInt64(to, at + 24, attributes.atime);
  writeUInt64(to, at + 32, attributes.mtime);
  writeUInt64(to, at + 40, attributes.ctime);
  to.writeUInt32LE(attributes.atimeNs ?? 0, at + 48);
  to.writeUInt32LE(attributes.mtimeNs ?? 0, at + 52);
  to.writeUInt32LE(attributes.ctimeNs ?? 0, at + 56);
  to.writeUInt32LE(attributes.mode, at + 60);
  to.writeUInt32LE(attributes.nlink, at + 64);
  to.writeUInt32LE(attributes.uid, at + 68);
  to.writeUInt32LE(attributes.gid, at + 72);
  to.writeUInt32LE(attributes.rdev, at + 76);
  to.writeUInt32LE(attributes.blksize, at + 80);
  to.writeUInt32LE(0, at + 84); // flags
}

/** `struct fuse_sx_time`. */
function writeStatxTime(to: Buffer, at: number, seconds: number, nanoseconds = 0): void {
  writeUInt64(to, at, seconds);
  to.writeUInt32LE(nanoseconds, at + 8);
}

/** Writes a whole number as 64 bits; a negative one (a time before 1970) in two's complement. */
function writeUInt64(to: Buffer, at: number, value: number): void {
  to.writeUInt32LE(value >>> 0, at);
  to.writeUInt32LE(Math.floor(value / 2 ** 32) >>> 0, at + 4);
}
