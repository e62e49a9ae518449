import { constants } from 'node:os';
import { decodeName, encodeName } from '../base/names.ts';
import { type BlockRef, blockSize } from '../flist/block/block-codec.ts';
import {
  blockAt,
  blockCountAt,
  childNamed,
  ctimeAt,
  isZeroBlock,
  type ManifestColumns,
  nameBytes,
  targetBytes,
  xattrsAt,
} from '../flist/manifest/manifest-columns.ts';
import type { Errno } from '../fuse/protocol.ts';
import type { Attributes } from '../fuse/reply.ts';

const { ENODATA, ENXIO } = constants.errno;

/** Bytes per block as stat(2) reports them: the page size that readers best use. */
const ioBlockSize = 4096;
/** The unit of `st_blocks`. */
const sectorSize = 512;
const fileTypeMask = 0o170000;
const directoryType = 0o040000;

/** The extended attributes in which Linux keeps access control lists. */
const aclNames = ['system.posix_acl_access', 'system.posix_acl_default'].map((name) => Buffer.from(name));

/**
 * The inodes of a flist for the mount: every question about names and attributes is answered from memory. A node is a
 * row of the columns plus one, so the root is node 1 (`FUSE_ROOT_ID`); all names of a hard-linked file have the node of its first.
 */
export class InodeTable {
  readonly #columns: ManifestColumns;
  /** The links of each row that has more than others of its kind. */
  readonly #links: ReadonlyMap<number, number>;

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
    this.#links = linkCounts(columns);
  }

  has(node: number): boolean {
    return node >= 1 && node <= this.#columns.ino.length;
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

  nameAt(row: number): Uint8Array {
    return nameBytes(this.#columns, row);
  }

  nodeAt(row: number): number {
    return (this.#columns.link[row] || row) + 1;
  }

  /** The target of a symbolic link; empty for everything else. */
  target(node: number): Uint8Array {
    return targetBytes(this.#columns, node - 1);
  }

  /** The child of that name; undefined when there is none. */
  child(directory: number, name: Uint8Array): number | undefined {
    const row = childNamed(this.#columns, directory - 1, name);
    return row === undefined ? undefined : this.nodeAt(row);
  }

  attributes(node: number): Attributes {
    const columns = this.#columns;
    const row = node - 1;
    const [mtime, ctime] = [columns.mtime[row]!, ctimeAt(columns, row)];
    const mtimeNs = columns.mtimeNs[row] ?? 0;
    return {
      ino: columns.ino[row]!,
      size: this.size(node),
      blocks: this.#sectors(node),
      atime: mtime,
      mtime,
      ctime,
      atimeNs: mtimeNs,
      mtimeNs,
      ctimeNs: ctime === mtime ? mtimeNs : 0,
      mode: columns.mode[row]!,
      nlink: this.#links.get(row) ?? fewestLinks(columns.mode[row]!),
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

  /** The next offset of data or of a hole at or after `offset`, as lseek(2) has it. Blocks of zeros are holes. */
  seek(node: number, offset: number, wanted: 'data' | 'hole'): { readonly offset: number } | Errno {
    const size = this.size(node);
    if (offset >= size) return ENXIO;
    const blocks = blockCountAt(this.#columns, node - 1);
    for (let index = Math.floor(offset / blockSize); index < blocks; index++)
      if (isZeroBlock(this.#columns, node - 1, index) === (wanted === 'hole'))
        return { offset: Math.max(offset, index * blockSize) };
    return wanted === 'hole' ? { offset: size } : ENXIO;
  }

  /** The value of an extended attribute. */
  xattr(node: number, name: Uint8Array): Uint8Array | Errno {
    return xattrsAt(this.#columns, node - 1).get(decodeName(name)) ?? ENODATA;
  }

  /** The names of all extended attributes. */
  xattrNames(node: number): Uint8Array[] {
    return [...xattrsAt(this.#columns, node - 1).keys()].map(encodeName);
  }

  /** Whether any inode has an extended attribute. */
  get hasXattrs(): boolean {
    return this.#columns.xattrRow.length > 0;
  }

  /** Whether any inode has an access control list. */
  get hasAcls(): boolean {
    const { xattrRow, xattrStart, xattrText } = this.#columns;
    for (let i = 0; i < xattrRow.length; i++) {
      const name = xattrText.subarray(xattrStart[2 * i], xattrStart[2 * i + 1]);
      if (aclNames.some((acl) => acl.compare(name) === 0)) return true;
    }
    return false;
  }

  /** The number of inodes, and the sum of their sizes in bytes. */
  totals(): { readonly inodes: number; readonly bytes: number } {
    const { size, link } = this.#columns;
    let [inodes, bytes] = [0, 0];
    for (let row = 0; row < size.length; row++) {
      if (link[row]) continue;
      inodes++;
      bytes += size[row]!;
    }
    return { inodes, bytes };
  }

  /** `st_blocks`: fewer than the size needs say that there are holes. */
  #sectors(node: number): number {
    const blocks = blockCountAt(this.#columns, node - 1);
    let holes = 0;
    for (let index = 0; index < blocks; index++) if (isZeroBlock(this.#columns, node - 1, index)) holes++;
    return Math.ceil(this.size(node) / sectorSize) - (holes * blockSize) / sectorSize;
  }
}

/** A directory has itself and its name; everything else has its name. */
function fewestLinks(mode: number): number {
  return (mode & fileTypeMask) === directoryType ? 2 : 1;
}

/** A directory has the `..` of each subdirectory too; a file has further names. */
function linkCounts({ mode, parent, link }: ManifestColumns): Map<number, number> {
  const counts = new Map<number, number>();
  const add = (row: number) => counts.set(row, (counts.get(row) ?? fewestLinks(mode[row]!)) + 1);
  for (let row = 1; row < mode.length; row++) {
    if ((mode[row]! & fileTypeMask) === directoryType) add(parent[row]!);
    else if (link[row]) add(link[row]!);
  }
  return counts;
}
