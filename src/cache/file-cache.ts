import { closeSync, fstatSync } from 'node:fs';
import { blockKey, blockSize } from '../flist/block/block-codec.ts';
import { flagAt } from './block-map.ts';
import { isTrusted } from './cache-directory.ts';
import { CacheFiles, isFlagged, quiet, writeFully } from './cache-files.ts';
import { Holds } from './holds.ts';
import { pagesOf } from './journal.ts';
import { type OpenFile, OpenFiles, readExactly } from './open-files.ts';
import {
  fileName,
  firstPlace,
  hasAllBlocks,
  isZeroBlock,
  type PlainBlock,
  type PlainFile,
  sizeOfBlock,
} from './plain-file.ts';
import { type SharedCache, unlimited, Word } from './shared-cache.ts';
import { secondsNow, Uses } from './uses.ts';
import { isSameState, wholeFile } from './verified.ts';

export interface FileCacheOptions {
  /** Takes a line: the cache cannot be written (once until it can be again), or something in it was damaged. */
  readonly warn: (line: string) => void;
}

/** As long as it is not closed nobody evicts a file. */
export interface HeldFile {
  close(): void;
}

/** A whole file of the cache, open and verified, and held. */
export interface OpenedWhole extends HeldFile {
  readonly descriptor: number;
  /** Closes only the descriptor: whoever was given the file holds it by itself now. */
  closeDescriptor(): void;
  /** Ends the hold, and closes the descriptor if it is still open. */
  close(): void;
}

/** Small, as there may be a hundred thousand. */
class Hold implements HeldFile {
  #slot: number | undefined;
  readonly #release: (slot: number) => void;

  constructor(slot: number, release: (slot: number) => void) {
    this.#slot = slot;
    this.#release = release;
  }

  close(): void {
    if (this.#slot !== undefined) this.#release(this.#slot);
    this.#slot = undefined;
  }
}

class HeldOpen extends Hold implements OpenedWhole {
  readonly descriptor: number;
  #isOpen = true;

  constructor(descriptor: number, slot: number, release: (slot: number) => void) {
    super(slot, release);
    this.descriptor = descriptor;
  }

  closeDescriptor(): void {
    if (this.#isOpen) closeSync(this.descriptor);
    this.#isOpen = false;
  }

  override close(): void {
    this.closeDescriptor();
    super.close();
  }
}

/** Larger files are not verified when they are opened: that would take longer than somebody who opens a file may wait. */
const verifiedAtOnce = 4 << 20;

/** Seconds between two notes of the use of one file. */
const noteEvery = 30;
/** Of a larger file, blocks that lie by themselves are not counted. */
const blocksLookedFor = 1024;

/**
 * Plain files on the disk of this machine, whole or in part, for one thread. A directory may be shared by threads, processes and
 * rfs, without locks that anybody waits for (the layout is in ARCHITECTURE.md). Nothing in it is believed before this
 * process has hashed it, and not any more when somebody has changed it since, so what is torn, damaged or planted is a miss.
 * `initBlockCodec` must have been awaited.
 */
export class FileCache {
  readonly #files: CacheFiles;
  readonly #words: Int32Array;
  readonly #uses: Uses;
  readonly #holds: Holds;
  readonly #open = new OpenFiles();
  readonly #writers = new OpenFiles();
  readonly #scratch = Buffer.allocUnsafeSlow(blockSize);

  /** @param shared the same for all threads of a process, see `shareCache`. */
  constructor(shared: SharedCache, { warn }: FileCacheOptions) {
    this.#files = new CacheFiles(shared, warn);
    this.#words = new Int32Array(shared.words);
    this.#uses = new Uses(shared.uses);
    this.#holds = new Holds(this.#files.directory);
  }

  /**
   * Fills `target` with the bytes of a file from `offset` on; false when not all of them are here and right. Never waits for
   * anything but the disk.
   * @param verify with false, what would have to be hashed first counts as not being here.
   */
  readInto(target: Uint8Array, file: PlainFile, offset: number, verify = true): boolean {
    if (!hasAllBlocks(file) || offset + target.length > file.size) return false;
    const read = quiet(() => {
      if (file.count === 1) return this.#readBlock(target, file.block(0), offset, verify);
      for (let done = 0; done < target.length; ) {
        const index = Math.floor((offset + done) / blockSize);
        const start = offset + done - index * blockSize;
        const piece = target.subarray(done, done + Math.min(target.length - done, blockSize - start));
        if (!this.#readAnywhere(piece, file, index, start, verify)) return false;
        done += piece.length;
      }
      return true;
    });
    return read ?? false;
  }

  /** Whether a block is here, as far as that can be said without reading it. */
  has(file: PlainFile, index: number): boolean {
    if (!hasAllBlocks(file) || index >= file.count) return false;
    if (file.count > 1 && (this.#files.hasWhole(file) || this.#hasInPart(file, index))) return true;
    const first = firstPlace(file, index);
    if (first !== index && this.#hasInPart(file, first)) return true;
    return this.#files.hasBlock(file.block(index));
  }

  /** How much of a file is here; blocks of it that lie by themselves, as rfs leaves them, are looked for one by one. */
  state(file: PlainFile): 'whole' | 'partial' | 'none' {
    if (!hasAllBlocks(file)) return 'none';
    if (file.count === 1) return this.has(file, 0) ? 'whole' : 'none';
    if (this.#files.hasWhole(file)) return 'whole';
    for (let i = 0; i < file.count; i++) if (this.has(file, i)) return 'partial';
    return 'none';
  }

  /**
   * How many blocks of a file are here, as far as that can be said without reading them. Those of a large file that lie by
   * themselves, as rfs leaves them, are not looked for: that would take long.
   */
  blocksHere(file: PlainFile): number {
    if (!hasAllBlocks(file)) return 0;
    if (file.count > 1 && this.#files.hasWhole(file)) return file.count;
    const flags = Buffer.alloc(file.count);
    quiet(() => {
      const open = file.count > 1 ? this.#openFile(file) : undefined;
      if (open?.kind === 'part') readExactly(open.map!, flags, flagAt(file.count, 0));
    });
    const isLarge = file.count > blocksLookedFor;
    let here = 0;
    for (let i = 0; i < file.count; i++)
      if (flags[i] === 1 || (!isLarge && this.#files.hasBlock(file.block(i)))) here++;
    return here;
  }

  /**
   * Keeps a block, unless the cache has as much as it may have. A full or unwritable disk costs a warning and no more.
   * @param plain its bytes, which have been checked; what has another length is not kept.
   */
  put(file: PlainFile, index: number, plain: Uint8Array): void {
    if (!hasAllBlocks(file) || plain.length !== sizeOfBlock(file.size, index)) return;
    if (Atomics.load(this.#words, Word.room) < pagesOf(plain.length)) return; // until somebody has made room
    try {
      const pages = pagesOf(plain.length) * this.#putWhere(file, index, plain);
      this.#files.canWrite();
      Atomics.add(this.#words, Word.grown, pages);
      if (Atomics.load(this.#words, Word.room) !== unlimited) Atomics.sub(this.#words, Word.room, pages);
    } catch (error) {
      this.#files.cannotWrite(error);
    }
  }

  /**
   * Opens a file that is whole and right, for the kernel to read from. Undefined when it is not here, or is too large to be
   * hashed now: `prepareWhole` does that.
   */
  openWhole(file: PlainFile): OpenedWhole | undefined {
    if (!hasAllBlocks(file)) return undefined;
    const open = quiet(() => this.#openWhole(file));
    if (open === undefined) return undefined;
    if (quiet(() => this.#isWhole(open, file)) !== true) {
      open.close();
      return undefined;
    }
    this.#note(open);
    return new HeldOpen(open.descriptor, this.#hold(file), this.#release);
  }

  /** Keeps a file from being evicted that somebody has open, as a process before this one may have opened it. */
  hold(file: PlainFile): HeldFile {
    return new Hold(this.#hold(file), this.#release);
  }

  #hold(file: PlainFile): number {
    Atomics.add(this.#words, Word.held, 1);
    return this.#holds.hold(fileName(file));
  }

  /** A thread that closes the cache has ended its holds. */
  readonly #release = (slot: number): void => {
    this.#uses.note(this.#holds.release(slot), secondsNow());
    Atomics.sub(this.#words, Word.held, 1);
  };

  /** How many files are held by `openWhole`, in all threads. */
  get held(): number {
    return Atomics.load(this.#words, Word.held);
  }

  /**
   * Makes sure that `openWhole` gives a file, if all of it is here: joins blocks that lie by themselves, and hashes what was not
   * yet hashed. Pauses after each block that takes work.
   * @returns whether the file is whole and right.
   */
  *prepareWhole(file: PlainFile): Generator<void, boolean> {
    if (!hasAllBlocks(file)) return false;
    if (file.count > 1 && !this.#files.hasWhole(file) && !(yield* this.#join(file))) return false;
    const open = quiet(() => this.#openWhole(file));
    if (open === undefined) return false;
    try {
      return yield* this.#verifyWhole(open, file);
    } finally {
      open.close();
    }
  }

  /** Closes the files that this thread keeps open, and ends its holds. The cache can be used further. */
  close(): void {
    this.#holds.close();
    this.#open.close();
    this.#writers.close();
  }

  /** What there is of a file of several blocks, open; not what was evicted since it was opened, or has become whole. */
  #openFile(file: PlainFile): OpenFile | undefined {
    const name = fileName(file);
    const known = this.#open.get(name);
    if (known?.isThere() && (known.kind === 'whole' || !this.#files.hasWhole(file))) return known;
    const open = this.#openFinished(file);
    if (open === undefined) this.#open.drop(name);
    return open && this.#open.add(open);
  }

  /** Opens a file of several blocks. A complete part, whose writer was killed before it gave it its name, gets it now. */
  #openFinished(file: PlainFile): OpenFile | undefined {
    const open = this.#files.openFile(file);
    if (open?.kind !== 'part' || !isComplete(open, file.count)) return open;
    if (fstatSync(open.descriptor).size !== file.size) return open;
    quiet(() => this.#files.finishPart(open.name));
    open.close();
    return this.#files.openFile(file);
  }

  #hasInPart(file: PlainFile, index: number): boolean {
    return (
      quiet(() => {
        const open = this.#openFile(file);
        return open?.kind === 'part' && isFlagged(open, file.count, index);
      }) === true
    );
  }

  /** Reads a part of a block from its place in the file, from the first place with the same block, or from a file of its own. */
  #readAnywhere(target: Uint8Array, file: PlainFile, index: number, start: number, verify: boolean): boolean {
    if (this.#readFile(target, file, index, start, verify)) return true;
    const first = firstPlace(file, index);
    if (first !== index && this.#readFile(target, file, first, start, verify)) return true;
    return this.#readBlock(target, file.block(index), start, verify);
  }

  #readFile(target: Uint8Array, file: PlainFile, index: number, start: number, verify: boolean): boolean {
    const known = this.#open.get(fileName(file));
    if (known !== undefined && this.#readKnown(known, index, undefined, target, start)) return true;
    const open = this.#openFile(file);
    if (open === undefined) return false;
    return this.#readNew(open, file, index, target, start, verify);
  }

  #readBlock(target: Uint8Array, block: PlainBlock, start: number, verify: boolean): boolean {
    if (start + target.length > block.size) return false;
    const known = this.#open.get(block.id);
    if (known?.size === block.size && this.#readKnown(known, 0, block.key, target, start)) return true;
    // Opened again: it may be another one by now, which rfs or another process has put in its place.
    const open = this.#files.openBlock(block);
    if (open === undefined) return false;
    return this.#readNew(this.#open.add(open), fileOf(block), 0, target, start, verify);
  }

  /** Reads from a block that was right when this thread read from it before, and makes sure that it still is. */
  #readKnown(
    open: OpenFile,
    index: number,
    key: string | undefined,
    target: Uint8Array,
    start: number,
  ): boolean {
    const right = open.rightIn(index, key);
    if (right === undefined) return false;
    // The look comes after the reading: it says what was read.
    if (!readExactly(open.descriptor, target, index * blockSize + start)) return false;
    const { stats, state } = this.#files.trust.look(open.descriptor);
    if (!isSameState(state, right)) return false;
    this.#note(open);
    if (stats.nlink === 0) this.#open.drop(open.name);
    return true;
  }

  #readNew(
    open: OpenFile,
    file: PlainFile,
    index: number,
    target: Uint8Array,
    start: number,
    verify: boolean,
  ): boolean {
    const { trust } = this.#files;
    const { key, size } = file.block(index);
    if (start + target.length > size) return false;
    const before = trust.look(open.descriptor);
    const isWhole = open.kind === 'part' || before.stats.size === file.size;
    if (isWhole && trust.isRight(key, index, before)) {
      open.setRight(index, key, before.state);
      if (this.#readKnown(open, index, undefined, target, start)) return true;
    }
    if (!verify || (open.kind === 'part' && !isFlagged(open, file.count, index))) return false;
    const plain = this.#readRight(open, file, index);
    if (plain === undefined) return false;
    const after = trust.look(open.descriptor);
    if (isSameState(before.state, after.state) && trust.setRight(key, index, after))
      open.setRight(index, key, after.state);
    target.set(plain.subarray(start, start + target.length));
    this.#note(open);
    return true;
  }

  /** Notes a use, at most once in a while for each file that is kept open. */
  #note(open: OpenFile): void {
    const now = secondsNow();
    if (now - open.noted < noteEvery) return;
    open.noted = now;
    this.#uses.note(open.name, now);
  }

  /** A whole block, hashed now; undefined when it is wrong, and then it is no longer there. Good until the next call. */
  #readRight(open: OpenFile, file: PlainFile, index: number): Buffer | undefined {
    const { key, size } = file.block(index);
    const plain = this.#scratch.subarray(0, size);
    const stats = fstatSync(open.descriptor);
    if (!stats.isFile()) return undefined;
    const isRight =
      (open.kind === 'part' || stats.size === file.size) &&
      readExactly(open.descriptor, plain, index * blockSize) &&
      blockKey(plain) === key;
    if (isRight) return plain;
    const look = this.#files.trust.look(open.descriptor);
    this.#files.trust.setWrong(key, index, look);
    this.#files.trust.setWrong(open.name, wholeFile, look);
    // rfs makes an empty file first, and then locks it while it fetches the block.
    if (!(open.kind === 'block' && stats.size === 0)) this.#files.discard(open, file, index);
    this.#open.drop(open.name);
    return undefined;
  }

  /** Returns at how many places it was written. */
  #putWhere(file: PlainFile, index: number, plain: Uint8Array): number {
    if (file.count > 1) return this.#putPart(file, index, plain);
    this.#files.writeBlock(file.block(0), plain);
    return 1;
  }

  #putPart(file: PlainFile, index: number, plain: Uint8Array): number {
    const name = fileName(file);
    let part = this.#writers.get(name);
    if (!part?.isThere()) {
      part = this.#files.openPart(file);
      if (part === undefined) return 0; // somebody else has made it whole
      this.#writers.add(part);
    }
    // A block that the file has at many places is written at two of them: in the first it is found for all others.
    const first = firstPlace(file, index);
    const places = first === index || isFlagged(part, file.count, first) ? [index] : [first, index];
    for (const place of places) this.#putAt(part, file, place, plain);
    if (isComplete(part, file.count)) this.#finish(part, file);
    return places.length;
  }

  #putAt({ descriptor, map }: OpenFile, file: PlainFile, index: number, plain: Uint8Array): void {
    const { trust } = this.#files;
    const look = trust.change(descriptor, () => writeFully(descriptor, plain, index * blockSize));
    trust.setRight(file.block(index).key, index, look);
    writeFully(map!, Buffer.of(1), flagAt(file.count, index));
  }

  #finish({ name, descriptor }: OpenFile, file: PlainFile): void {
    const { trust } = this.#files;
    const look = trust.change(descriptor, () => this.#files.finishPart(name));
    const isRight = (_: unknown, i: number) => trust.isRight(file.block(i).key, i, look);
    if (Array.from({ length: file.count }).every(isRight)) trust.setRight(name, wholeFile, look);
    this.#writers.drop(name);
  }

  /** Opens a whole file that nobody else can change. */
  #openWhole(file: PlainFile): OpenFile | undefined {
    const open = file.count === 1 ? this.#files.openBlock(file.block(0)) : this.#files.openFile(file);
    if (open === undefined) return undefined;
    const stats = fstatSync(open.descriptor);
    if (open.kind !== 'part' && stats.isFile() && isTrusted(stats)) return open;
    open.close();
    return undefined;
  }

  /** Whether a file is right, as far as that can be said soon. */
  #isWhole(open: OpenFile, file: PlainFile): boolean {
    if (this.#isKnownWhole(open, file)) return true;
    if (file.size > verifiedAtOnce) return false;
    const steps = this.#verifyWhole(open, file);
    for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
  }

  #isKnownWhole(open: OpenFile, file: PlainFile): boolean {
    const look = this.#files.trust.look(open.descriptor);
    return look.stats.size === file.size && this.#files.trust.isRight(open.name, wholeFile, look);
  }

  *#verifyWhole(open: OpenFile, file: PlainFile): Generator<void, boolean> {
    if (this.#isKnownWhole(open, file)) return true;
    const { trust } = this.#files;
    const before = trust.look(open.descriptor);
    for (let index = 0; index < file.count; index++) {
      const { key } = file.block(index);
      if (trust.isRight(key, index, before)) continue;
      if (this.#readRight(open, file, index) === undefined) return false;
      trust.setRight(key, index, before);
      yield;
    }
    const after = trust.look(open.descriptor);
    if (!isSameState(before.state, after.state)) return false;
    trust.setRight(open.name, wholeFile, after);
    return true;
  }

  /** Makes a whole file of the blocks that are here. @returns whether all of them are. */
  *#join(file: PlainFile): Generator<void, boolean> {
    for (let index = 0; index < file.count; index++) {
      if (this.#hasInPart(file, index)) continue;
      const plain = Buffer.alloc(sizeOfBlock(file.size, index));
      if (!isZeroBlock(file.block(index)) && !this.readInto(plain, file, index * blockSize)) return false;
      this.put(file, index, plain);
      yield;
    }
    const part = this.#files.openPart(file);
    if (part === undefined) return true;
    this.#writers.add(part);
    if (!isComplete(part, file.count)) return false;
    this.#finish(part, file);
    return true;
  }
}

/** A block as a file of its own. */
function fileOf(block: PlainBlock): PlainFile {
  return { size: block.size, count: 1, block: () => block };
}

function isComplete({ map }: OpenFile, count: number): boolean {
  const flags = Buffer.alloc(count);
  return readExactly(map!, flags, flagAt(count, 0)) && flags.equals(Buffer.alloc(count, 1));
}
