import { type Errno, replyHeaderSize } from './protocol.ts';

/** What stat(2) shows of a node. Sizes in bytes, times in whole seconds since the epoch. */
export interface Attributes {
  readonly ino: number;
  readonly size: number;
  /** Units of 512 bytes. */
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
  /** File type and permission bits, as st_mode. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Device number as the kernel encodes it for user space (`new_encode_dev`). */
  readonly rdev: number;
  readonly blksize: number;
}

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
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly maxWrite: number;
  readonly maxPages: number;
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

/** `struct fuse_init_out` as of 7.23, 64 bytes. */
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
  writeUInt64(to, at + 48, 0); // atimensec, mtimensec
  to.writeUInt32LE(0, at + 56); // ctimensec
  to.writeUInt32LE(attributes.mode, at + 60);
  to.writeUInt32LE(attributes.nlink, at + 64);
  to.writeUInt32LE(attributes.uid, at + 68);
  to.writeUInt32LE(attributes.gid, at + 72);
  to.writeUInt32LE(attributes.rdev, at + 76);
  to.writeUInt32LE(attributes.blksize, at + 80);
  to.writeUInt32LE(0, at + 84); // flags
}

/** Writes a whole number as 64 bits; a negative one (a time before 1970) in two's complement. */
function writeUInt64(to: Buffer, at: number, value: number): void {
  to.writeUInt32LE(value >>> 0, at);
  to.writeUInt32LE(Math.floor(value / 2 ** 32) >>> 0, at + 4);
}
