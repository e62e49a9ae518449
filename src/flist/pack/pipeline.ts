import { setImmediate, setTimeout } from 'node:timers/promises';
import { Failure } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import type { Content, FileState } from '../../tree/content.ts';
import type { Entry, FileEntry } from '../../tree/tree.ts';
import { type BlockRef, blockSize } from '../block/block-codec.ts';
import type { Inode } from '../manifest/inode.ts';
import { BlockSink } from './block-sink.ts';
import { BlockTable } from './block-table.ts';
import { inodeOfEntry } from './entry-inode.ts';
import {
  carriedJobBytes,
  type JobResult,
  jobBytes,
  jobPieces,
  type Piece,
  type PieceProblem,
} from './job.ts';
import { JobPool } from './job-pool.ts';
import { blockCount } from './job-runner.ts';
import { filePieces, memoryPieces } from './pieces.ts';
import { type Place, Placement } from './placement.ts';
import type { Previous } from './previous.ts';
import type { PackProblems } from './problems.ts';
import type { PackProgress } from './progress.ts';
import type { PackRows } from './rows.ts';

export type PackEntry = readonly [path: string, entry: Entry];

export interface PipelineOptions {
  readonly store: Store;
  /** Where the rows go; nowhere in a dry run. */
  readonly rows: PackRows | undefined;
  readonly previous: Previous | undefined;
  readonly problems: PackProblems;
  readonly progress: PackProgress;
  /** What is at a path of the source now. */
  readonly again: ((path: string) => Entry | undefined) | undefined;
  /** Reads extended attributes where entries come without them. */
  readonly xattrs: ((path: string) => Entry['xattrs']) | undefined;
  readonly concurrency: number;
  readonly threads: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** An entry on its way into the manifest. */
interface Row {
  readonly path: string;
  inode: Inode;
  /** The row of the previous manifest whose bytes it still has. */
  unchanged?: number | undefined;
  content?: Content;
  /** The blocks of a file that is read. */
  places?: Uint32Array;
  /** Pieces of it that are not read yet. */
  waiting: number;
  trouble?: PieceProblem | undefined;
  reads: number;
  /** The group of a hard-linked file, and whether this is its first name. */
  group?: LinkGroup;
  isFirst?: boolean;
  isLost?: boolean;
}

/** The first name of a file with several; the others take its blocks. */
interface LinkGroup {
  readonly ino: number;
  state: FileState | undefined;
  places?: Uint32Array | undefined;
  unchanged?: number | undefined;
}

/** A piece of a file, and where its blocks are among those of the file. */
interface Item {
  readonly row: Row;
  readonly at: number;
  readonly piece: Piece;
}

/** Entries that are found and not written yet, which is as far as the walk is ahead of the packing: some 10 MB. */
const mostRows = 8192;
/** Jobs that no thread has begun: 8 GiB of a large file. */
const mostQueued = 2048;
/** Bytes that the main thread has read for the threads. */
const mostCarried = 32 << 20;
/** How often a file that changes while it is read is read. */
const mostReads = 3;
/** Milliseconds until a file that changed again is read again. */
const betweenReads = 200;
/** Entries after which other events get their turn. */
const entriesAtOnce = 256;

/**
 * From entries to rows: files become jobs for the threads, blocks go into the store, and rows are written in the order of the
 * entries, each when all its blocks are stored. What is underway is bounded, whatever comes.
 */
export class PackPipeline {
  readonly #options: PipelineOptions;
  readonly #table = new BlockTable();
  readonly #sink: BlockSink;
  readonly #pool: JobPool;
  readonly #jobBytes: number;
  readonly #placement: Placement;
  readonly #links = new Map<string, LinkGroup>();
  #rows: Row[] = [];
  #batch: Item[] = [];
  #batchBytes = 0;
  #carried = 0;
  #taken = 0;
  #failure: { readonly reason: unknown } | undefined;
  #news = Promise.withResolvers<void>();

  constructor(options: PipelineOptions) {
    const { store, concurrency, threads, previous, rows } = options;
    this.#options = options;
    this.#placement = new Placement(previous);
    this.#sink = new BlockSink({
      store,
      table: this.#table,
      concurrency,
      dryRun: rows === undefined,
      onStored: () => this.#wake(),
      onFailure: (reason) => this.#fail(reason),
    });
    const { directory } = this.#sink;
    const dryRun = rows === undefined;
    this.#jobBytes = directory === undefined && !dryRun ? carriedJobBytes : jobBytes;
    this.#pool = new JobPool({ blocks: this.#table.shared, directory, dryRun }, threads);
  }

  /** Settles when nothing is underway any more. @throws the first failure of the store, of the source or of the rows. */
  async run(batches: AsyncIterable<Iterable<PackEntry>> | Iterable<Iterable<PackEntry>>): Promise<void> {
    const { signal } = this.#options;
    const abort = () => this.#fail(signal!.reason);
    signal?.addEventListener('abort', abort);
    try {
      signal?.throwIfAborted();
      await this.#sink.open();
      for await (const entries of batches) await this.#takeAll(entries);
      this.#options.progress.foundAll();
      this.#flush();
      while (this.#rows.length > 0) await this.#write();
    } catch (error) {
      this.#fail(error);
    } finally {
      signal?.removeEventListener('abort', abort);
      await this.#pool.close();
      await this.#sink.settle();
    }
    this.#throwIfFailed();
  }

  async #takeAll(entries: Iterable<PackEntry>): Promise<void> {
    for (const [path, entry] of entries) {
      const reading = this.#take(path, entry);
      if (reading !== undefined) await reading;
      if (++this.#taken % entriesAtOnce === 0) {
        await setImmediate();
        await this.#writeReady();
      }
      while (this.#rows.length >= mostRows) await this.#write();
    }
  }

  /** Returns when there is room for the next one. */
  #take(path: string, entry: Entry): Promise<void> | undefined {
    const place = this.#placement.next(path, entry.kind === 'directory');
    const untouched = this.#untouched(place, entry);
    let row: Row;
    try {
      const inode = inodeOfEntry(path, entry, place, this.#xattrs(path, entry, untouched));
      row = { path, inode, waiting: 0, reads: 0 };
    } catch (error) {
      this.#options.problems.add(path, error);
      return undefined;
    }
    this.#rows.push(row);
    if (entry.kind !== 'file') return undefined;
    const { previous, progress } = this.#options;
    progress.foundFile();
    if (this.#isFurtherName(row, entry) || entry.content.size === 0) return undefined;
    if (untouched === undefined || !previous!.hasBlocks(untouched)) return this.#read(row, entry.content);
    row.unchanged = untouched;
    progress.unchanged(entry.content.size, Math.ceil(entry.content.size / blockSize));
    return undefined;
  }

  /** The row of the previous manifest, when nobody has touched the file since. */
  #untouched({ row }: Place, entry: Entry): number | undefined {
    const isUntouched =
      row !== undefined && entry.kind === 'file' && this.#options.previous!.isUntouched(row, entry);
    return isUntouched ? row : undefined;
  }

  #xattrs(path: string, entry: Entry, untouched?: number): Entry['xattrs'] {
    const { previous, xattrs } = this.#options;
    if (xattrs === undefined) return entry.xattrs;
    const known = untouched === undefined ? undefined : previous!.xattrsAt(untouched);
    return known ?? xattrs(path);
  }

  /** Whether the file is known by another name; if not, it is known by this one from now on. */
  #isFurtherName(row: Row, { hardLink, content }: FileEntry): boolean {
    if (hardLink === undefined) return false;
    const group = this.#links.get(hardLink);
    row.isFirst = group === undefined;
    row.group = group ?? { ino: row.inode.ino, state: content.state };
    if (group === undefined) this.#links.set(hardLink, row.group);
    else {
      row.inode = { ...row.inode, link: group.ino };
      row.content = content;
    }
    return group !== undefined;
  }

  /** Makes jobs of a file. */
  async #read(row: Row, content: Content): Promise<void> {
    row.content = content;
    row.places = new Uint32Array(Math.ceil(content.size / blockSize));
    row.trouble = undefined;
    row.reads++;
    this.#options.progress.foundBytes(content.size);
    row.waiting = 1; // until all its pieces are underway
    const pieces = filePieces(content, this.#jobBytes);
    if (pieces === undefined) await this.#readHere(row, content);
    else {
      let at = 0;
      for (const piece of pieces) {
        await this.#addPiece({ row, at, piece });
        at += blockCount(piece);
      }
    }
    if (--row.waiting === 0) await this.#readEnds(row);
  }

  async #readHere(row: Row, content: Content): Promise<void> {
    let [at, size] = [0, 0];
    try {
      for await (const piece of memoryPieces(content)) {
        size += piece.size;
        if (at === row.places!.length) break;
        while (this.#carried >= mostCarried) await this.#room();
        this.#carried += piece.size;
        await this.#addPiece({ row, at: at++, piece });
      }
      if (size !== content.size) throw unlikeItsSize(row.path, size, content.size);
    } catch (error) {
      if (this.#failure !== undefined) throw error;
      this.#lose(row, error);
    }
  }

  async #addPiece(item: Item): Promise<void> {
    item.row.waiting++;
    this.#batch.push(item);
    this.#batchBytes += item.piece.size;
    if (this.#batchBytes >= this.#jobBytes || this.#batch.length >= jobPieces) this.#flush();
    while (this.#pool.queued >= mostQueued) await this.#room();
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const items = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#pool.add({
      pieces: items.map(({ piece }) => piece),
      onResult: (result) => this.#finish(items, result),
      onFailure: (reason) => this.#fail(reason),
    });
    this.#wake(); // it may be done here
  }

  /** Takes the result of a job; returns when the thread may go on. */
  async #finish(items: readonly Item[], { places, added, problems }: JobResult): Promise<void> {
    for (const problem of problems) items[problem.piece]!.row.trouble ??= problem;
    let next = 0;
    const read: Row[] = [];
    for (const { row, at, piece } of items) {
      const count = blockCount(piece);
      row.places!.set(places.subarray(next, next + count), at);
      next += count;
      if ('bytes' in piece) this.#carried -= piece.size;
      this.#options.progress.read(piece.size, count);
      if (--row.waiting === 0) read.push(row);
    }
    this.#options.progress.report();
    await this.#sink.take(added);
    for (const row of read) void this.#readEnds(row).catch((reason) => this.#fail(reason));
    this.#wake();
  }

  /** All of a file was read: whole, or not as it was when it was found. */
  async #readEnds(row: Row): Promise<void> {
    const { trouble, inode, path } = row;
    const { again, progress } = this.#options;
    if (trouble === undefined) return this.#wake();
    progress.readInVain(inode.size, row.places!.length);
    if (trouble.why === 'unreadable' || again === undefined || row.reads === mostReads || this.#failure)
      return this.#lose(row, problemOf(path, row.content!, trouble));
    row.waiting = 1; // until it is read again
    if (row.reads > 1) await setTimeout(betweenReads);
    const entry = again(path);
    row.waiting = 0;
    if (entry?.kind !== 'file') return this.#lose(row, vanished(path, entry));
    row.inode = inodeOfEntry(path, entry, inode, this.#xattrs(path, entry));
    if (row.group !== undefined) row.group.state = entry.content.state;
    if (entry.content.size === 0) {
      row.places = new Uint32Array(0);
      return this.#wake();
    }
    await this.#read(row, entry.content);
    this.#flush();
  }

  #lose(row: Row, error: unknown): void {
    row.isLost = true;
    this.#options.problems.add(row.path, error);
    this.#wake();
  }

  /** Writes the rows that are ready, and if there are none, helps or waits. */
  async #write(): Promise<void> {
    const news = this.#news.promise;
    if ((await this.#writeReady()) || (await this.#pool.help())) return;
    await news;
  }

  async #writeReady(): Promise<boolean> {
    this.#throwIfFailed();
    let count = 0;
    while (count < this.#rows.length && this.#isReady(this.#rows[count]!)) {
      const writing = this.#emit(this.#rows[count++]!);
      if (writing !== undefined) await writing;
    }
    if (count > 0) this.#rows = this.#rows.slice(count);
    return count > 0;
  }

  #isReady({ waiting, places, isLost }: Row): boolean {
    return (
      waiting === 0 && (isLost === true || (places?.every((place) => this.#table.isStored(place)) ?? true))
    );
  }

  #emit(row: Row): Promise<void> | undefined {
    const { rows, problems, progress } = this.#options;
    if (row.isFirst) Object.assign(row.group!, { places: row.places, unchanged: row.unchanged });
    else if (row.group && row.group.state?.ctimeNs !== row.content?.state?.ctimeNs)
      problems.add(row.path, changedMeanwhile(row.path, 'one of its names was packed before it changed'));
    progress.wrote();
    if (problems.count > 0 || rows === undefined) return undefined;
    return rows.add(row.inode, this.#refsOf(row), row.unchanged);
  }

  #refsOf(row: Row): BlockRef[] | undefined {
    const { places, unchanged } = row.inode.link === undefined ? row : row.group!;
    if (places !== undefined) return Array.from(places, (place) => this.#table.ref(place));
    if (unchanged === undefined) return [];
    return row.unchanged === unchanged ? undefined : this.#options.previous!.rowAt(unchanged).refs;
  }

  /** Returns when something has ended. */
  async #room(): Promise<void> {
    this.#throwIfFailed();
    this.#flush();
    const news = this.#news.promise;
    if (!(await this.#pool.help())) await news;
    this.#throwIfFailed();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.#sink.stop();
    this.#wake();
  }

  get stored() {
    return this.#sink.counts;
  }
}

function unlikeItsSize(path: string, found: number, expected: number): Failure {
  return new Failure('corrupt', `${path} gave ${found} bytes, expected ${expected}`, {
    hint: 'it changed while it was packed; run the command again',
  });
}

function changedMeanwhile(path: string, cause: string): Failure {
  return new Failure('failed', `${path} changed while it was packed`, {
    cause,
    hint: 'stop what writes to it, pack a snapshot, or leave it out with --exclude',
  });
}

function problemOf(path: string, { state, size }: Content, { why, cause }: PieceProblem): Failure {
  if (why === 'unreadable') return new Failure('denied', `cannot read ${path}`, { cause });
  if (state !== undefined) return changedMeanwhile(path, cause);
  return new Failure('corrupt', `${path} is not the ${size} bytes that it was`, {
    cause,
    hint: 'it changed while it was packed; run the command again',
  });
}

function vanished(path: string, entry: Entry | undefined): Failure {
  return changedMeanwhile(path, entry === undefined ? 'it is gone' : `it is now a ${entry.kind}`);
}
