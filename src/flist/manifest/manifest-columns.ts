import type { Numbers } from '../../base/growing-array.ts';
import { compareRanges, decodeName, encodeName } from '../../base/names.ts';
import type { Children } from '../../tree/children.ts';
import type { EntryKind, Metadata } from '../../tree/tree.ts';
import { type BlockRef, blockSize } from '../block/block-codec.ts';
import { type Inode, kindOfMode } from './inode.ts';

/**
 * The inodes of a manifest as columns in shared memory, so that threads read them without a copy: some 50 bytes and the
 * name for each, and 64 bytes for each block. Rows are ascending by inode number; row 0 is the root. A `…Start` column has
 * one value more than rows: row `i` owns the places from `start[i]` up to, not including, `start[i + 1]`.
 */
export interface ManifestColumns extends Children {
  readonly ino: Numbers;
  /** The row of the directory; the root is its own. */
  readonly parent: Uint32Array;
  readonly size: Numbers;
  readonly mtime: Numbers;
  /** Empty when each is that of `mtime`, as in all that this project packs; see `ctimeAt`. */
  readonly ctime: Numbers;
  readonly rdev: Float64Array;
  readonly mode: Uint32Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  /** Nanoseconds of `mtime`; empty when all are 0. */
  readonly mtimeNs: Uint32Array;
  /** The row of a file's first name where this is a further one, else 0; empty when there is no hard link. */
  readonly link: Uint32Array;
  /** Names and targets: the name of row `i` from `textStart[2 * i]`, its target from `textStart[2 * i + 1]`. */
  readonly textStart: Uint32Array;
  readonly text: Uint8Array;
  /** Places in `blockRefs`, in units of `blockRefSize`. */
  readonly blockStart: Uint32Array;
  /** Each block of each file: 32 bytes id, 32 bytes key. */
  readonly blockRefs: Uint8Array;
  /** The row of each extended attribute, ascending. */
  readonly xattrRow: Uint32Array;
  /** The name of attribute `i` from `xattrStart[2 * i]`, its value from `xattrStart[2 * i + 1]`. */
  readonly xattrStart: Uint32Array;
  readonly xattrText: Uint8Array;
  /** What is to be fetched before it is asked for, in that order: the row of a file, its first and its last block, of each range. */
  readonly prefetch: Uint32Array;
}

export const blockRefSize = 64;

/** The row of an inode number; undefined when there is no such inode. */
export function rowOf(ino: Numbers, number: number): number | undefined {
  if (ino[number - 1] === number) return number - 1; // numbered without gaps, as most are
  let low = 0;
  for (let high = ino.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (ino[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return ino[low] === number ? low : undefined;
}

/** The name of the inode in a row, as the bytes that it truly has. */
export function nameBytes({ text, textStart }: ManifestColumns, row: number): Uint8Array {
  return text.subarray(textStart[2 * row], textStart[2 * row + 1]);
}

/** Whether that is the name of the inode in a row. */
export function hasName(columns: ManifestColumns, row: number, name: string): boolean {
  return isTextAt(columns, 2 * row, name);
}

/** Whether that is the target of the inode in a row; `''` for none. */
export function hasTarget(columns: ManifestColumns, row: number, target: string): boolean {
  return isTextAt(columns, 2 * row + 1, target);
}

/** Without making bytes of what is ASCII, as most is. */
function isTextAt({ text, textStart }: ManifestColumns, place: number, expected: string): boolean {
  const [start, end] = [textStart[place]!, textStart[place + 1]!];
  for (let i = 0; i < expected.length; i++) {
    const unit = expected.charCodeAt(i);
    if (unit > 0x7f) return encodeName(expected).equals(text.subarray(start, end));
    if (unit !== text[start + i]) return false;
  }
  return start + expected.length === end;
}

/** The target of a symbolic link; empty for everything else. */
export function targetBytes({ text, textStart }: ManifestColumns, row: number): Uint8Array {
  return text.subarray(textStart[2 * row + 1], textStart[2 * row + 2]);
}

/** When the inode in a row was changed, in seconds. */
export function ctimeAt({ ctime, mtime }: ManifestColumns, row: number): number {
  return ctime[row] ?? mtime[row]!;
}

/** The path of a row as a `Tree` has it: `''` for the root. */
export function pathAt(columns: ManifestColumns, row: number): string {
  const names: string[] = [];
  for (let at = row; at !== 0; at = columns.parent[at]!) names.push(decodeName(nameBytes(columns, at)));
  return names.reverse().join('/');
}

/** Orders the names of two rows by their bytes. */
export function compareNames(
  { text, textStart }: Pick<ManifestColumns, 'text' | 'textStart'>,
  a: number,
  b: number,
): number {
  const [aEnd, bEnd] = [textStart[2 * a + 1]!, textStart[2 * b + 1]!];
  return compareRanges(text, textStart[2 * a]!, aEnd, text, textStart[2 * b]!, bEnd);
}

/** The row of the entry with that name in a directory, found by halving; undefined when there is none. */
export function childNamed(
  { childStart, childRows, text, textStart }: ManifestColumns,
  directory: number,
  name: Uint8Array,
): number | undefined {
  let [low, high] = [childStart[directory]!, childStart[directory + 1]!];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const row = childRows[middle]!;
    const end = textStart[2 * row + 1]!;
    const order = compareRanges(text, textStart[2 * row]!, end, name, 0, name.length);
    if (order === 0) return row;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** The id and key at a place of `blockRefs`. */
export function blockAt({ blockRefs }: Pick<ManifestColumns, 'blockRefs'>, place: number): BlockRef {
  const at = blockRefs.byteOffset + place * blockRefSize;
  const hex = Buffer.from(blockRefs.buffer, at, blockRefSize).toString('hex');
  return { id: hex.slice(0, blockRefSize), key: hex.slice(blockRefSize) };
}

/** Whether the blocks at two places have the same id and key. */
export function sameBlockAt({ blockRefs }: ManifestColumns, a: number, b: number): boolean {
  const [from, to] = [a * blockRefSize, b * blockRefSize];
  for (let i = 0; i < blockRefSize; i++) if (blockRefs[from + i] !== blockRefs[to + i]) return false;
  return true;
}

/** The blocks of a row in the order of its file. */
export function blocksAt(columns: ManifestColumns, row: number): BlockRef[] {
  const first = columns.blockStart[row]!;
  return Array.from({ length: columns.blockStart[row + 1]! - first }, (_, i) => blockAt(columns, first + i));
}

/** The row of the file that a place of `blockRefs` belongs to. */
export function rowOfBlock({ blockStart }: ManifestColumns, place: number): number {
  let low = 0;
  for (let high = blockStart.length - 1; low < high; ) {
    const middle = (low + high) >>> 1;
    if (blockStart[middle + 1]! <= place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many blocks the inode in a row has. */
export function blockCountAt({ blockStart }: ManifestColumns, row: number): number {
  return blockStart[row + 1]! - blockStart[row]!;
}

/** The plain bytes of a block of a file, counted from 0. */
export function plainSizeAt({ size }: ManifestColumns, row: number, index: number): number {
  return Math.min(blockSize, size[row]! - index * blockSize);
}

/** The key of 512 KiB of zeros (flist format, section 2.2). */
const zeroKey = Buffer.from('0a93174557b2e0668f2531531415142280358ee32605d059dab1ce8ebbb1cc01', 'hex');

/** Whether a block of a file is 512 KiB of zeros, which need not be fetched to be known. */
export function isZeroBlock(columns: ManifestColumns, row: number, index: number): boolean {
  const key = (columns.blockStart[row]! + index) * blockRefSize + 32;
  return (
    plainSizeAt(columns, row, index) === blockSize && zeroKey.compare(columns.blockRefs, key, key + 32) === 0
  );
}

/** The metadata of a row as a tree has them. */
export function metadataAt(columns: ManifestColumns, row: number): Metadata & { readonly kind: EntryKind } {
  const mtimeNs = columns.mtimeNs[row];
  const xattrs = xattrsAt(columns, row);
  return {
    kind: kindOfMode(columns.mode[row]!)!,
    mode: columns.mode[row]! & 0o7777,
    uid: columns.uid[row]!,
    gid: columns.gid[row]!,
    mtime: columns.mtime[row]!,
    ...(mtimeNs && { mtimeNs }),
    ...(xattrs.size > 0 && { xattrs }),
  };
}

/** A row as an inode. */
export function inodeAt(columns: ManifestColumns, row: number): Inode {
  const parent = row === 0 ? 0 : columns.ino[columns.parent[row]!]!;
  const mtimeNs = columns.mtimeNs[row];
  const target = targetBytes(columns, row);
  const link = columns.link[row];
  const xattrs = xattrsAt(columns, row);
  return {
    ino: columns.ino[row]!,
    parent,
    name: decodeName(nameBytes(columns, row)),
    size: columns.size[row]!,
    uid: columns.uid[row]!,
    gid: columns.gid[row]!,
    mode: columns.mode[row]!,
    rdev: columns.rdev[row]!,
    ctime: ctimeAt(columns, row),
    mtime: columns.mtime[row]!,
    ...(mtimeNs && { mtimeNs }),
    ...(target.length > 0 && { target: decodeName(target) }),
    ...(link && { link: columns.ino[link]! }),
    ...(xattrs.size > 0 && { xattrs }),
  };
}

const none: ReadonlyMap<string, Uint8Array> = new Map();

/** The extended attributes of a row, by name. */
export function xattrsAt({ xattrRow, xattrStart, xattrText }: ManifestColumns, row: number) {
  if (xattrRow.length === 0) return none;
  let low = 0;
  for (let high = xattrRow.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (xattrRow[middle]! < row) low = middle + 1;
    else high = middle;
  }
  if (xattrRow[low] !== row) return none;
  const xattrs = new Map<string, Uint8Array>();
  for (let at = low; xattrRow[at] === row; at++) {
    const [name, value, end] = [xattrStart[2 * at]!, xattrStart[2 * at + 1]!, xattrStart[2 * at + 2]!];
    xattrs.set(decodeName(xattrText.subarray(name, value)), xattrText.slice(value, end));
  }
  return xattrs;
}
