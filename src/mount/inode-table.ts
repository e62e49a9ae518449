import type { BlockRef } from '../flist/block-codec.ts';
import {
  blockAt,
  childNamed,
  type ManifestColumns,
  nameBytes,
  targetBytes,
} from '../flist/manifest-columns.ts';
import type { Attributes } from '../fuse/reply.ts';

/** Bytes per block as stat(2) reports them: the page size that readers best use. */
const ioBlockSize = 4096;
const fileTypeMask = 0o170000;
const directoryType = 0o040000;

/**
 * The inodes of a flist for the mount: every question about names and attributes is answered from memory. A node is a
 * row of the columns plus one, so the root is node 1 (`FUSE_ROOT_ID`).
 */
export class InodeTable {
  readonly #columns: ManifestColumns;
  /** The number of links of each row. */
  readonly #nlink: Uint32Array;

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
    this.#nlink = linkCounts(columns);
  }

  /** Number of inodes, the root included. */
  get count(): number {
    return this.#columns.ino.length;
  }

  has(node: number): boolean {
    return node >= 1 && node <= this.count;
  }

  /** The file type bits of st_mode. */
  type(node: number): number {
    return this.#columns.mode[node - 1]! & fileTypeMask;
  }

  /** That of a symbolic link is the length of its target, whatever the manifest says. */
  size(node: number): number {
    return targetBytes(this.#columns, node - 1).length || this.#columns.size[node - 1]!;
  }

  parent(node: number): number {
    return this.#columns.parent[node - 1]! + 1;
  }

  /** The rows of a directory's children, in byte order of their names. */
  children(node: number): Uint32Array {
    const { childStart, childRows } = this.#columns;
    return childRows.subarray(childStart[node - 1], childStart[node]);
  }

  name(node: number): Uint8Array {
    return nameBytes(this.#columns, node - 1);
  }

  /** The target of a symbolic link; empty for everything else. */
  target(node: number): Uint8Array {
    return targetBytes(this.#columns, node - 1);
  }

  /** The child of that name; undefined when there is none. */
  child(directory: number, name: Uint8Array): number | undefined {
    const row = childNamed(this.#columns, directory - 1, name);
    return row === undefined ? undefined : row + 1;
  }

  attributes(node: number): Attributes {
    const columns = this.#columns;
    const row = node - 1;
    const first = columns.link[row] || row;
    const size = this.size(node);
    const mtime = columns.mtime[row]!;
    return {
      ino: columns.ino[first]!,
      size,
      blocks: Math.ceil(size / 512),
      atime: mtime,
      mtime,
      ctime: columns.ctime[row]!,
      mode: columns.mode[row]!,
      nlink: this.#nlink[first]!,
      uid: columns.uid[row]!,
      gid: columns.gid[row]!,
      rdev: columns.rdev[row]! >>> 0,
      blksize: ioBlockSize,
    };
  }

  /** Id and key of a file's block by its place in the file; undefined past the last one. */
  block(node: number, index: number): BlockRef | undefined {
    const { blockStart } = this.#columns;
    const place = blockStart[node - 1]! + index;
    return place < blockStart[node]! ? blockAt(this.#columns, place) : undefined;
  }

  /** Sum of the sizes of all inodes in bytes. */
  totalSize(): number {
    return this.#columns.size.reduce((sum, size) => sum + size, 0);
  }
}

/** A directory has itself, its name and its subdirectories' `..`; a file has its names. */
function linkCounts({ mode, parent, link }: ManifestColumns): Uint32Array {
  const counts = new Uint32Array(mode.length).fill(1);
  for (let row = 0; row < mode.length; row++) {
    if ((mode[row]! & fileTypeMask) === directoryType) {
      counts[row]!++;
      if (row > 0) counts[parent[row]!]!++;
    } else if (link[row]) counts[link[row]!]!++;
  }
  return counts;
}
