import { constants } from 'node:os';
import type { PlainBlock } from '../cache/block-files.ts';
import { blockSize } from '../flist/block-codec.ts';
import { type Errno, largestRead } from '../fuse/protocol.ts';
import {
  type Attributes,
  type DirectoryEntry,
  type Entry,
  noEntry,
  type OpenAnswer,
  type Statfs,
} from '../fuse/reply.ts';
import { type Filesystem, later } from '../fuse/session.ts';
import type { InodeTable } from './inode-table.ts';
import type { TraceRecorder } from './trace-notes.ts';

const { EINVAL, EIO, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR } = constants.errno;

const directoryType = 0o040000;
const regularType = 0o100000;
const symlinkType = 0o120000;
const statfsBlockSize = 4096;
const nameLimit = 255;

const dot = Buffer.of(0x2e);
const dotDot = Buffer.of(0x2e, 0x2e);

/** Bytes `start` to `end` of a block: a part of what a READ asks for. */
export interface BlockRange {
  readonly block: PlainBlock;
  readonly start: number;
  readonly end: number;
}

export interface BlockAccess {
  /** Fills `target` with the bytes of a range when they can be had without waiting; false when not. */
  readCached(target: Uint8Array, range: BlockRange): boolean;
  /** Takes over the reply to request `unique`, whose body is all these ranges in order. */
  fetch(unique: bigint, ranges: readonly BlockRange[]): void;
}

/** How files are opened. */
export interface FileOpener {
  /** A file that nobody has open. */
  open(node: number): OpenAnswer;
  /** Nobody has the file open any more. */
  release(node: number, answer: OpenAnswer): void;
}

export interface FlistFilesystemOptions {
  /** Notes which blocks are read. */
  readonly trace?: TraceRecorder | undefined;
  /** Without it the kernel opens files by itself. */
  readonly opener?: FileOpener | undefined;
}

/** A flist as a filesystem: names and attributes from the table, contents from its blocks. */
export class FlistFilesystem implements Filesystem {
  // The kernel goes without what is not there.
  readonly open?: NonNullable<Filesystem['open']>;
  readonly release?: NonNullable<Filesystem['release']>;
  readonly getxattr?: NonNullable<Filesystem['getxattr']>;
  readonly listxattr?: NonNullable<Filesystem['listxattr']>;
  readonly #table: InodeTable;
  readonly #blocks: BlockAccess;
  readonly #statfs: Statfs;
  readonly #trace: TraceRecorder | undefined;
  /** Holds the body of one READ: each is answered before the next is received. */
  readonly #replyBuffer = Buffer.allocUnsafeSlow(largestRead);

  constructor(table: InodeTable, blocks: BlockAccess, { trace, opener }: FlistFilesystemOptions = {}) {
    this.#table = table;
    this.#blocks = blocks;
    this.#trace = trace;
    if (opener !== undefined) {
      this.open = (node) => this.#notRegular(node) ?? opener.open(node);
      this.release = (node, answer) => opener.release(node, answer);
    }
    if (table.hasXattrs) {
      this.getxattr = (node, name) => (table.has(node) ? table.xattr(node, name) : ENOENT);
      this.listxattr = (node) => (table.has(node) ? table.xattrNames(node) : ENOENT);
    }
    const { inodes, bytes } = table.totals();
    this.#statfs = {
      blocks: Math.ceil(bytes / statfsBlockSize),
      bfree: 0,
      bavail: 0,
      files: inodes,
      ffree: 0,
      bsize: statfsBlockSize,
      namelen: nameLimit,
    };
  }

  lookup(directory: number, name: Uint8Array): Entry | Errno {
    const errno = this.#notDirectory(directory);
    if (errno !== undefined) return errno;
    if (name.length > nameLimit) return ENAMETOOLONG;
    const node = this.#table.child(directory, name);
    return node === undefined ? noEntry : { node, attributes: this.#table.attributes(node) };
  }

  getattr(node: number): Attributes | Errno {
    return this.#table.has(node) ? this.#table.attributes(node) : ENOENT;
  }

  readlink(node: number): Uint8Array | Errno {
    if (!this.#table.has(node)) return ENOENT;
    return this.#table.type(node) === symlinkType ? this.#table.target(node) : EINVAL;
  }

  /** Offset 0 is `.`, 1 is `..`, 2 the first child, and so on. */
  readdir(directory: number, offset: number, add: (entry: DirectoryEntry) => boolean): Errno | undefined {
    const errno = this.#notDirectory(directory);
    if (errno !== undefined) return errno;
    const children = this.#table.children(directory);
    for (let place = offset; place < children.length + 2; place++)
      if (!add(this.#directoryEntry(directory, children, place))) break;
    return undefined;
  }

  read(
    node: number,
    offset: number,
    size: number,
    unique: bigint,
  ): readonly Uint8Array[] | Errno | typeof later {
    const errno = this.#notRegular(node);
    if (errno !== undefined) return errno;
    const ranges = this.#ranges(node, offset, size);
    if (ranges === undefined) return EIO;
    this.#trace?.touch(node - 1, Math.floor(offset / blockSize), Math.floor((offset + size - 1) / blockSize));
    const bytes = this.#readCached(ranges);
    if (bytes !== undefined) return [bytes];
    this.#blocks.fetch(unique, ranges);
    return later;
  }

  lseek(node: number, offset: number, wanted: 'data' | 'hole'): { readonly offset: number } | Errno {
    return this.#notRegular(node) ?? this.#table.seek(node, offset, wanted);
  }

  statfs(): Statfs {
    return this.#statfs;
  }

  #notRegular(node: number): Errno | undefined {
    if (!this.#table.has(node)) return ENOENT;
    const type = this.#table.type(node);
    if (type === regularType) return undefined;
    return type === directoryType ? EISDIR : EINVAL;
  }

  #notDirectory(node: number): Errno | undefined {
    if (!this.#table.has(node)) return ENOENT;
    return this.#table.type(node) === directoryType ? undefined : ENOTDIR;
  }

  #directoryEntry(directory: number, children: Uint32Array, place: number): DirectoryEntry {
    const next = place + 1;
    if (place >= 2) {
      const row = children[place - 2]!;
      const node = this.#table.nodeAt(row);
      return { name: this.#table.nameAt(row), node, attributes: this.#table.attributes(node), next };
    }
    // Node 0: a listing gives the kernel no reference to these two.
    const node = place === 0 ? directory : this.#table.parent(directory);
    return { name: place === 0 ? dot : dotDot, node: 0, attributes: this.#table.attributes(node), next };
  }

  #readCached(ranges: readonly BlockRange[]): Uint8Array | undefined {
    let filled = 0;
    for (const range of ranges) {
      const end = filled + range.end - range.start;
      if (!this.#blocks.readCached(this.#replyBuffer.subarray(filled, end), range)) return undefined;
      filled = end;
    }
    return this.#replyBuffer.subarray(0, filled);
  }

  /** The parts of blocks that make up these bytes of a file; undefined when the manifest has too few blocks for it. */
  #ranges(node: number, offset: number, size: number): BlockRange[] | undefined {
    const fileSize = this.#table.size(node);
    const end = Math.min(offset + size, fileSize);
    const ranges: BlockRange[] = [];
    for (let at = offset; at < end; ) {
      const index = Math.floor(at / blockSize);
      const ref = this.#table.block(node, index);
      if (ref === undefined) return undefined;
      const blockStart = index * blockSize;
      const plainSize = Math.min(blockSize, fileSize - blockStart);
      const rangeEnd = Math.min(end - blockStart, plainSize);
      ranges.push({ block: { ...ref, size: plainSize }, start: at - blockStart, end: rangeEnd });
      at = blockStart + rangeEnd;
    }
    return ranges;
  }
}
