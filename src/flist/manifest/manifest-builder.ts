import { GrowingArray, GrowingNumbers, type Numbers } from '../../base/growing-array.ts';
import { GrowingText } from '../../base/growing-text.ts';
import { compareBytes } from '../../base/names.ts';
import { childrenOf } from '../../tree/children.ts';
import type { BlockRef } from '../block/block-codec.ts';
import { blockRefSize, compareNames, type ManifestColumns, rowOf } from './manifest-columns.ts';
import { checkInode, checkXattr, type InodeNumbers, missingParent, Violation } from './manifest-rules.ts';
import { addRange, type PrefetchRange } from './prefetch-list.ts';

/** An inode as it comes: names and targets as text or as bytes. */
export interface NewInode extends InodeNumbers {
  readonly name: string | Uint8Array;
  readonly target?: string | Uint8Array | undefined;
  readonly link?: number | undefined;
  readonly xattrs?: Iterable<readonly [name: string, value: Uint8Array]> | undefined;
}

/** Collects the rows of a manifest into columns. Each row is checked by itself; how they fit together is not. */
export class ColumnsBuilder {
  readonly #ino = new GrowingNumbers();
  /** The row of the directory, where it came before. */
  readonly #parent = new GrowingArray(Uint32Array);
  /** The inode numbers of the directories that came later, by the row of what is in them. */
  readonly #laterParents = new Map<number, number>();
  readonly #size = new GrowingNumbers();
  readonly #mtime = new GrowingNumbers();
  readonly #ctime = new GrowingNumbers();
  readonly #rdev = new GrowingArray(Float64Array);
  readonly #mode = new GrowingArray(Uint32Array);
  readonly #uid = new GrowingArray(Uint32Array);
  readonly #gid = new GrowingArray(Uint32Array);
  readonly #mtimeNs = new GrowingArray(Uint32Array);
  readonly #link = new GrowingArray(Uint32Array);
  readonly #textStart = new GrowingArray(Uint32Array);
  readonly #text = new GrowingText();
  readonly #blockRows = new BlockRows();
  readonly #blockRefs = new GrowingArray(Uint8Array);
  readonly #xattrRow = new GrowingArray(Uint32Array);
  readonly #xattrStart = new GrowingArray(Uint32Array);
  readonly #xattrText = new GrowingText();
  readonly #prefetch = new GrowingArray(Uint32Array);
  #blockRowSeen = 0;

  /**
   * Takes the next inode; they come in the order of their numbers.
   * @throws Violation
   */
  addInode(inode: NewInode): void {
    const { ino, mtimeNs = 0, link, xattrs } = inode;
    const row = this.#ino.length;
    if (row > 0 && ino <= this.#ino.array[row - 1]!)
      throw new Violation(`inode ${ino} is there twice or out of order`);
    const [name, target] = [this.#addText(inode.name), this.#addText(inode.target ?? '')];
    checkInode(inode, name, target);
    this.#ino.push(ino);
    this.#addParent(row, inode.parent);
    this.#size.push(inode.size);
    this.#mtime.push(inode.mtime);
    this.#addCtime(row, inode);
    this.#rdev.push(inode.rdev);
    this.#mode.push(inode.mode);
    this.#uid.push(inode.uid);
    this.#gid.push(inode.gid);
    if (mtimeNs > 0) setSparse(this.#mtimeNs, row, mtimeNs);
    if (link !== undefined) setSparse(this.#link, row, this.#firstName(ino, link));
    if (xattrs !== undefined) this.#addXattrs(row, ino, xattrs);
  }

  /**
   * Takes the next block of a file: those of one file in their order, the files in any.
   * @param ref id and key as hex digits of either case
   * @throws Violation
   */
  addBlock(ino: number, { id, key }: BlockRef): void {
    const inos = this.#ino.array;
    if (inos[this.#blockRowSeen] !== ino) {
      const row = rowOf(this.#ino.done(), ino);
      if (row === undefined) throw new Violation(`there are blocks of the inode ${ino}, which is not there`);
      this.#blockRowSeen = row;
    }
    this.#blockRows.push(this.#blockRowSeen);
    const at = this.#blockRefs.extend(blockRefSize);
    const bytes = this.#blockRefs.bytes;
    const half = blockRefSize / 2;
    const isWhole = id.length === blockRefSize && key.length === blockRefSize;
    if (!isWhole || bytes.write(id, at, 'hex') !== half || bytes.write(key, at + half, 'hex') !== half)
      throw new Violation(`a block id or key of inode ${ino} is not 32 bytes`);
  }

  /** Takes the next blocks to fetch ahead, when all inodes are there. @throws Violation */
  addPrefetch(range: PrefetchRange): void {
    addRange(this.#prefetch, this.#ino.done(), range);
  }

  /** @throws Violation when there is no root, or a parent is not there */
  build(): ManifestColumns {
    const ino = this.#ino.done();
    if (ino[0] !== 1) throw new Violation('it has no root');
    const parent = this.#parentRows(ino);
    const blockRefs = this.#blockRefs.done();
    for (const sparse of [this.#mtimeNs, this.#link])
      if (sparse.length > 0) sparse.extend(ino.length - sparse.length);
    const texts = { text: this.#text.done(), textStart: withEnd(this.#textStart, this.#text.length) };
    return {
      ino,
      parent,
      size: this.#size.done(),
      mtime: this.#mtime.done(),
      ctime: this.#ctime.done(),
      rdev: this.#rdev.done(),
      mode: this.#mode.done(),
      uid: this.#uid.done(),
      gid: this.#gid.done(),
      mtimeNs: this.#mtimeNs.done(),
      link: this.#link.done(),
      ...texts,
      blockStart: this.#blockRows.starts(ino.length, blockRefs),
      blockRefs,
      ...childrenOf(parent, (row, other) => compareNames(texts, row, other)),
      xattrRow: this.#xattrRow.done(),
      xattrStart: withEnd(this.#xattrStart, this.#xattrText.length),
      xattrText: this.#xattrText.done(),
      prefetch: this.#prefetch.done(),
    };
  }

  /** The column begins with the first that differs from `mtime`. */
  #addCtime(row: number, { ctime, mtime }: NewInode): void {
    if (this.#ctime.length === 0) {
      if (ctime === mtime) return;
      for (let i = 0; i < row; i++) this.#ctime.push(this.#mtime.array[i]!);
    }
    this.#ctime.push(ctime);
  }

  #addText(text: string | Uint8Array): Uint8Array {
    const start = this.#text.append(text);
    if (this.#text.length > 0xffffffff) throw new Violation('its names are longer than 4 GiB together');
    this.#textStart.push(start);
    return this.#text.bytes.subarray(start, this.#text.length);
  }

  #firstName(ino: number, link: number): number {
    const row = rowOf(this.#ino.done(), link);
    if (row === undefined || link === ino)
      throw new Violation(`inode ${ino} is a hard link to ${link}, which does not come before it`);
    return row;
  }

  #addXattrs(row: number, ino: number, xattrs: Iterable<readonly [string, Uint8Array]>): void {
    for (const [name, value] of [...xattrs].sort(([a], [b]) => compareBytes(a, b))) {
      checkXattr(ino, name, value);
      this.#xattrRow.push(row);
      this.#xattrStart.push(this.#xattrText.append(name));
      this.#xattrStart.push(this.#xattrText.append(value));
    }
  }

  #addParent(row: number, parent: number): void {
    const inos = this.#ino.array;
    const isUsual = parent > 0 && parent <= row && inos[parent - 1] === parent; // numbered without gaps
    const known = isUsual ? parent - 1 : rowOf(this.#ino.done(), parent);
    if (known === undefined && row > 0) this.#laterParents.set(row, parent);
    this.#parent.push(known ?? 0);
  }

  #parentRows(ino: Numbers): Uint32Array {
    const rows = this.#parent.done();
    rows[0] = 0; // whatever it says
    for (const [row, number] of this.#laterParents) {
      const parent = rowOf(ino, number);
      if (parent === undefined) throw missingParent(ino[row]!, number);
      rows[row] = parent;
    }
    return rows;
  }
}

/** Which blocks belong to which row. */
class BlockRows {
  /** How many blocks lie before those of each row, as far as the rows go, while blocks come in the order of the rows. */
  #starts = new GrowingArray(Uint32Array);
  #count = 0;
  /** The row of each block, once one came out of order. */
  #rows: GrowingArray<Uint32Array> | undefined;

  /** Takes the row of the next block. */
  push(row: number): void {
    if (this.#rows === undefined && row < this.#starts.length - 1) this.#rows = this.#rowsSoFar();
    if (this.#rows !== undefined) this.#rows.push(row);
    else while (this.#starts.length <= row) this.#starts.push(this.#count);
    this.#count++;
  }

  /**
   * Where the blocks of each of so many rows begin, and one value more for the end. Brings `blockRefs` into the order of the rows. Those of
   * one row keep their order; rfs writes files mixed.
   */
  starts(rows: number, blockRefs: Uint8Array): Uint32Array {
    if (this.#rows !== undefined) return sortBlocks(this.#rows.done(), rows, blockRefs);
    while (this.#starts.length <= rows) this.#starts.push(this.#count);
    return this.#starts.done();
  }

  #rowsSoFar(): GrowingArray<Uint32Array> {
    const rows = new GrowingArray(Uint32Array);
    const starts = this.#starts.done();
    for (let row = 0; row < starts.length; row++)
      for (let place = starts[row]!; place < (starts[row + 1] ?? this.#count); place++) rows.push(row);
    this.#starts = new GrowingArray(Uint32Array);
    return rows;
  }
}

function setSparse(column: GrowingArray<Uint32Array>, row: number, value: number): void {
  column.extend(row - column.length);
  column.push(value);
}

function withEnd(starts: GrowingArray<Uint32Array>, end: number): Uint32Array {
  starts.push(end);
  return starts.done();
}

/** Where each row's part begins when `rows` are in order, by how often each is there; one value more for the end. */
function startsOf(rows: Uint32Array, count: number): Uint32Array {
  const starts = new Uint32Array(new SharedArrayBuffer((count + 1) * 4));
  for (const row of rows) starts[row + 1]!++;
  for (let row = 0; row < count; row++) starts[row + 1]! += starts[row]!;
  return starts;
}

function sortBlocks(rows: Uint32Array, count: number, blockRefs: Uint8Array): Uint32Array {
  const starts = startsOf(rows, count);
  const next = starts.slice();
  moveBlocks(
    blockRefs,
    rows.map((row) => next[row]!++),
  );
  return starts;
}

/** Moves block `i` to `places[i]`, for all `i`, without a second buffer. */
function moveBlocks(blockRefs: Uint8Array, places: Uint32Array): void {
  const held = new Uint8Array(blockRefSize);
  for (let i = 0; i < places.length; i++) {
    while (places[i] !== i) {
      const place = places[i]!;
      const [from, to] = [i * blockRefSize, place * blockRefSize];
      held.set(blockRefs.subarray(to, to + blockRefSize));
      blockRefs.copyWithin(to, from, from + blockRefSize);
      blockRefs.set(held, from);
      places[i] = places[place]!;
      places[place] = place;
    }
  }
}
