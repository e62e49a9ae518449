import type { Attributes } from '../fuse/reply.ts';
import { blockRefSize, fileTypeMask, type InodeColumns } from './inode-columns.ts';

/** Bytes per block as stat(2) reports them: the page size that readers best use. */
const ioBlockSize = 4096;

/**
 * The inodes of a flist for the mount: every question about names and attributes is answered from memory. A node is a
 * row of the columns plus one, so the root is node 1 (`FUSE_ROOT_ID`).
 */
export class InodeTable {
  readonly #columns: InodeColumns;

  constructor(columns: InodeColumns) {
    this.#columns = columns;
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

  size(node: number): number {
    return this.#columns.size[node - 1]!;
  }

  parent(node: number): number {
    return this.#columns.parent[node - 1]! + 1;
  }

  /** The nodes of a directory's children, in byte order of their names: from `first` up to, not including, `end`. */
  children(node: number): { first: number; end: number } {
    const { childStart } = this.#columns;
    return { first: childStart[node - 1]! + 1, end: childStart[node]! + 1 };
  }

  name(node: number): Uint8Array {
    const { names, nameStart } = this.#columns;
    return names.subarray(nameStart[node - 1], nameStart[node]);
  }

  /** The target of a symbolic link; empty for everything else. */
  target(node: number): Uint8Array {
    const { targets, targetStart } = this.#columns;
    return targets.subarray(targetStart[node - 1], targetStart[node]);
  }

  /** The child of that name, found by halving; undefined when there is none. */
  child(directory: number, name: Uint8Array): number | undefined {
    let { first, end } = this.children(directory);
    while (first < end) {
      const middle = (first + end) >>> 1;
      const order = this.#compareName(middle, name);
      if (order === 0) return middle;
      if (order < 0) first = middle + 1;
      else end = middle;
    }
    return undefined;
  }

  attributes(node: number): Attributes {
    const columns = this.#columns;
    const row = node - 1;
    const size = columns.size[row]!;
    const mtime = columns.mtime[row]!;
    return {
      ino: columns.ino[row]!,
      size,
      blocks: Math.ceil(size / 512),
      atime: mtime,
      mtime,
      ctime: columns.ctime[row]!,
      mode: columns.mode[row]!,
      nlink: columns.nlink[row]!,
      uid: columns.uid[row]!,
      gid: columns.gid[row]!,
      rdev: columns.rdev[row]!,
      blksize: ioBlockSize,
    };
  }

  /** Id and key of a file's block by its place in the file; undefined past the last one. */
  block(node: number, index: number): { id: string; key: string } | undefined {
    const { blockStart, fileBlocks, blockRefs } = this.#columns;
    const place = blockStart[node - 1]! + index;
    if (place >= blockStart[node]!) return undefined;
    const at = fileBlocks[place]! * blockRefSize;
    const hex = Buffer.from(blockRefs.buffer, at, blockRefSize).toString('hex');
    return { id: hex.slice(0, blockRefSize), key: hex.slice(blockRefSize) };
  }

  /** Sum of the sizes of all inodes in bytes. */
  totalSize(): number {
    return this.#columns.size.reduce((sum, size) => sum + size, 0);
  }

  #compareName(node: number, name: Uint8Array): number {
    const { names, nameStart } = this.#columns;
    const start = nameStart[node - 1]!;
    const length = nameStart[node]! - start;
    const common = Math.min(length, name.length);
    for (let i = 0; i < common; i++) {
      const difference = names[start + i]! - name[i]!;
      if (difference !== 0) return difference;
    }
    return length - name.length;
  }
}
