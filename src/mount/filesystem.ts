import { constants } from 'node:os';
import { blockSize } from '../flist/block/block-codec.ts';
import type { Errno } from '../fuse/protocol.ts';
import { type Attributes, type DirectoryEntry, type Entry, noEntry, type Statfs } from '../fuse/reply.ts';
import type { Filesystem, later } from '../fuse/session.ts';
import type { FileOpener } from './file-opener.ts';
import type { FlistXattrs } from './flist-xattrs.ts';
import type { InodeTable } from './inode-table.ts';
import type { TraceRecorder } from './trace-notes.ts';

const { EINVAL, EISDIR, ENAMETOOLONG, ENODATA, ENOENT, ENOTDIR } = constants.errno;

const directoryType = 0o040000;
const regularType = 0o100000;
const symlinkType = 0o120000;
const statfsBlockSize = 4096;
const nameLimit = 255;

const dot = Buffer.of(0x2e);
const dotDot = Buffer.of(0x2e, 0x2e);

/** Answers READs. */
export interface FileAccess {
  /** The file in a row of the columns; it may send the answer itself, now or later. */
  read(row: number, offset: number, size: number, unique: bigint): Errno | typeof later;
  /** Nobody waits for the answer to a READ any more. */
  interrupt(unique: bigint): void;
}

export interface FlistFilesystemOptions {
  /** Notes which blocks are read. */
  readonly trace?: TraceRecorder | undefined;
  /** Gives what the mount says of a file as extended attributes, which are not listed. */
  readonly looks?: FlistXattrs | undefined;
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
  readonly #files: FileAccess;
  readonly #statfs: Statfs;
  readonly #trace: TraceRecorder | undefined;

  constructor(table: InodeTable, files: FileAccess, { trace, looks, opener }: FlistFilesystemOptions = {}) {
    this.#table = table;
    this.#files = files;
    this.#trace = trace;
    if (opener !== undefined) {
      this.open = (node) => this.#notRegular(node) ?? opener.open(node);
      this.release = (node, answer) => opener.release(node, answer);
    }
    if (table.hasXattrs || looks !== undefined) {
      this.getxattr = (node, name) => {
        const value = table.has(node) ? table.xattr(node, name) : ENOENT;
        return value === ENODATA ? (looks?.value(node - 1, name) ?? value) : value;
      };
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

  read(node: number, offset: number, size: number, unique: bigint): Errno | typeof later {
    const errno = this.#notRegular(node);
    if (errno !== undefined) return errno;
    this.#trace?.touch(node - 1, Math.floor(offset / blockSize), Math.floor((offset + size - 1) / blockSize));
    return this.#files.read(node - 1, offset, size, unique);
  }

  interrupt(unique: bigint): void {
    this.#files.interrupt(unique);
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
}
