import { compareBytes } from '../base/names.ts';
import type { BlockRef } from '../flist/block-codec.ts';
import type { Inode, Manifest } from '../flist/manifest.ts';

/**
 * The inodes of a manifest as columns in shared memory, so that threads read them without a copy: about 80 bytes and the
 * name for each. Row 0 is the root; the rows are in breadth-first order with the children of a directory sorted by the
 * bytes of their names, so they are neighbours. A `…Start` column has one row more: row `i` owns `[start[i], start[i+1])`.
 */
export interface InodeColumns {
  readonly ino: Float64Array;
  readonly size: Float64Array;
  readonly mtime: Float64Array;
  readonly ctime: Float64Array;
  readonly mode: Uint32Array;
  readonly nlink: Uint32Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  readonly rdev: Uint32Array;
  /** The row of the parent; the root is its own. */
  readonly parent: Uint32Array;
  /** Rows of the children. */
  readonly childStart: Uint32Array;
  readonly nameStart: Uint32Array;
  readonly names: Uint8Array;
  readonly targetStart: Uint32Array;
  readonly targets: Uint8Array;
  /** Places in `fileBlocks`. */
  readonly blockStart: Uint32Array;
  /** Numbers of the blocks of all files: places in `blockRefs`, in units of `blockRefSize`. */
  readonly fileBlocks: Uint32Array;
  /** Each distinct block: 32 bytes id, 32 bytes key. */
  readonly blockRefs: Uint8Array;
}

export const blockRefSize = 64;

export const fileTypeMask = 0o170000;
export const directoryType = 0o040000;

/** The columns of a checked manifest. Inodes that the root does not reach are left out. */
export function columnsOf(manifest: Manifest): InodeColumns {
  const { inodes, parents } = breadthFirst(manifest.inodes);
  const children = new Uint32Array(inodes.length);
  const subdirectories = new Uint32Array(inodes.length);
  for (let row = 1; row < inodes.length; row++) {
    children[parents[row]!]!++;
    if (isDirectory(inodes[row]!)) subdirectories[parents[row]!]!++;
  }
  const numbers = (value: (inode: Inode, row: number) => number) =>
    fill(sharedFloat64(inodes.length), inodes, value);
  const words = (value: (inode: Inode, row: number) => number) =>
    fill(sharedUint32(inodes.length), inodes, value);
  const names = concatenate(inodes.map((inode, row) => (row === 0 ? '' : inode.name)));
  const targets = concatenate(inodes.map((inode) => inode.target ?? ''));
  return {
    ino: numbers((inode) => inode.ino),
    size: numbers((inode) => (inode.target === undefined ? inode.size : Buffer.byteLength(inode.target))),
    mtime: numbers((inode) => inode.mtime),
    ctime: numbers((inode) => inode.ctime),
    mode: words((inode) => inode.mode),
    nlink: words((inode, row) => (isDirectory(inode) ? 2 + subdirectories[row]! : 1)),
    uid: words((inode) => inode.uid),
    gid: words((inode) => inode.gid),
    rdev: words((inode) => inode.rdev),
    parent: words((_, row) => parents[row]!),
    childStart: startsOf(children, 1),
    nameStart: names.start,
    names: names.bytes,
    targetStart: targets.start,
    targets: targets.bytes,
    ...blockColumns(inodes, manifest.blocks),
  };
}

function isDirectory(inode: Inode): boolean {
  return (inode.mode & fileTypeMask) === directoryType;
}

/** The inodes in the order of the rows, with the row of each one's parent. */
function breadthFirst(all: readonly Inode[]): { inodes: Inode[]; parents: number[] } {
  const children = new Map<number, Inode[]>();
  let root: Inode | undefined;
  for (const inode of all) {
    if (inode.ino === 1) root = inode;
    else if (children.has(inode.parent)) children.get(inode.parent)!.push(inode);
    else children.set(inode.parent, [inode]);
  }
  const inodes = root === undefined ? [] : [root];
  const parents = [0];
  for (let row = 0; row < inodes.length; row++) {
    const below = children.get(inodes[row]!.ino) ?? [];
    for (const child of below.sort((a, b) => compareBytes(a.name, b.name))) {
      inodes.push(child);
      parents.push(row);
    }
  }
  return { inodes, parents };
}

function blockColumns(inodes: readonly Inode[], blocksOf: ReadonlyMap<number, readonly BlockRef[]>) {
  const numbers = new Map<string, number>();
  const refs: BlockRef[] = [];
  const perFile = inodes.map(({ ino }) =>
    (blocksOf.get(ino) ?? []).map((ref) => {
      const name = ref.id + ref.key;
      const known = numbers.get(name);
      if (known !== undefined) return known;
      numbers.set(name, refs.length);
      return refs.push(ref) - 1;
    }),
  );
  const blockStart = startsOf(
    perFile.map((blocks) => blocks.length),
    0,
  );
  const fileBlocks = sharedUint32(blockStart[inodes.length]!);
  perFile.forEach((blocks, row) => {
    fileBlocks.set(blocks, blockStart[row]);
  });
  const blockRefs = sharedBytes(refs.length * blockRefSize);
  refs.forEach(({ id, key }, number) => {
    blockRefs.set(Buffer.from(id + key, 'hex'), number * blockRefSize);
  });
  return { blockStart, fileBlocks, blockRefs };
}

function fill<Column extends Float64Array | Uint32Array>(
  column: Column,
  inodes: readonly Inode[],
  value: (inode: Inode, row: number) => number,
): Column {
  inodes.forEach((inode, row) => {
    column[row] = value(inode, row);
  });
  return column;
}

function concatenate(texts: readonly string[]): { start: Uint32Array; bytes: Uint8Array } {
  const start = startsOf(
    texts.map((text) => Buffer.byteLength(text)),
    0,
  );
  const bytes = sharedBytes(start[texts.length]!);
  const buffer = Buffer.from(bytes.buffer);
  texts.forEach((text, row) => {
    buffer.write(text, start[row]!);
  });
  return { start, bytes };
}

/** Where each row's part begins when the parts lie one behind the other from `first` on, and the end of the last one. */
function startsOf(lengths: ArrayLike<number>, first: number): Uint32Array {
  const starts = sharedUint32(lengths.length + 1);
  starts[0] = first;
  for (let row = 0; row < lengths.length; row++) starts[row + 1] = starts[row]! + lengths[row]!;
  return starts;
}

const sharedBytes = (length: number) => new Uint8Array(new SharedArrayBuffer(length));
const sharedUint32 = (length: number) => new Uint32Array(new SharedArrayBuffer(length * 4));
const sharedFloat64 = (length: number) => new Float64Array(new SharedArrayBuffer(length * 8));
