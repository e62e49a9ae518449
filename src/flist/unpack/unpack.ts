import { closeSync } from 'node:fs';
import { Failure } from '../../base/errors.ts';
import { loadLibc } from '../../base/libc.ts';
import { forEachParallel } from '../../base/parallel.ts';
import { threadsWorth } from '../../base/threads.ts';
import { walkRows } from '../../tree/children.ts';
import type { Loss } from '../../tree/restore.ts';
import { blockSize } from '../block/block-codec.ts';
import { kindOfMode } from '../manifest/inode.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { blockCountAt, type ManifestColumns, pathAt } from '../manifest/manifest-columns.ts';
import { type Crew, startCrew, type UnpackBlocks } from './crew.ts';
import type { Piece } from './file-writer.ts';
import type { Job, JobResult } from './job.ts';
import { OtherEntries } from './other-entries.ts';
import { UnpackTarget } from './target.ts';
import { UnfinishedFiles } from './unfinished-files.ts';

export interface UnpackOptions {
  readonly blocks: UnpackBlocks;
  /** A new or an empty directory, or one in which unpacking this manifest was interrupted. */
  readonly directory: string;
  /** Give every file the owner that the manifest has; needs root. Otherwise all of it belongs to the caller. */
  readonly preserveOwnership?: boolean;
  /** Read every file back from the disk and compare its hashes; write anew what is wrong. */
  readonly verify?: boolean;
  /** Threads to use; by default as many as there are cores and work for. 0 is the thread of the caller alone. */
  readonly threads?: number;
  /** Called after every few files. */
  readonly onProgress?: (progress: UnpackProgress) => void;
  /** Called for everything that could not be kept. */
  readonly onLoss?: (path: string, loss: Loss) => void;
}

export interface UnpackProgress {
  readonly doing: 'unpack' | 'verify';
  readonly blocks: number;
  readonly totalBlocks: number;
  readonly bytes: number;
}

export interface UnpackSummary {
  /** Regular files, each name of a hard link counting. */
  readonly files: number;
  /** Plain bytes; a file with several names counts once. */
  readonly bytes: number;
  /** Files that an earlier, interrupted run had completed. */
  readonly kept: number;
  /** How often something could not be kept, by what it was. */
  readonly lost: Readonly<Partial<Record<Loss, number>>>;
}

/** Blocks of a file that one job takes; a larger file is written by several threads. */
const blocksPerPiece = 16;
/** Plain bytes after which a job gets no further files. */
const bytesPerJob = blocksPerPiece * blockSize;

/**
 * Writes the files of a manifest into a directory with modes, owners, times, links, attributes and special files, on all cores. Nothing
 * outside the directory is touched, whatever the manifest says and whatever lies in the directory. After a failure or a kill, a
 * file that has its name is complete, and a second run goes on; a failure before there is such a file leaves nothing.
 * @throws Failure of a block or of the disk, `conflict` when the directory is neither new nor empty nor unfinished, `denied` for
 * owners without being root.
 */
export async function unpackManifest(manifest: Manifest, options: UnpackOptions): Promise<UnpackSummary> {
  const { directory, preserveOwnership: owners = false } = options;
  if (owners && process.geteuid!() !== 0)
    throw new Failure('denied', 'only root can give files to other owners', {
      hint: 'run as root, or leave out --preserve-ownership',
    });
  const target = await UnpackTarget.open(directory, manifest.columns, owners);
  try {
    return await new Unpacking(manifest.columns, target, owners, options).run();
  } finally {
    target.close();
  }
}

class Unpacking {
  readonly #columns: ManifestColumns;
  readonly #target: UnpackTarget;
  readonly #owners: boolean;
  readonly #options: UnpackOptions;
  readonly #lost: Partial<Record<Loss, number>> = {};
  /** Of files that are written in several pieces: how many are still to be written. */
  readonly #piecesLeft = new Map<number, number>();
  readonly #totals: { readonly files: number; readonly bytes: number; readonly blocks: number };
  #kept = 0;
  /** Pieces that are written. */
  #done = 0;

  constructor(columns: ManifestColumns, target: UnpackTarget, owners: boolean, options: UnpackOptions) {
    this.#columns = columns;
    this.#target = target;
    this.#owners = owners;
    this.#options = options;
    this.#totals = totalsOf(columns);
  }

  async run(): Promise<UnpackSummary> {
    const { blocks, threads, verify = false } = this.#options;
    const { files, bytes } = this.#totals;
    const { root, prefix, isResumed } = this.#target;
    const settings = { columns: this.#columns, root, prefix, owners: this.#owners };
    const lost = (row: number, loss: Loss) => this.#countLoss(row, loss);
    const others = await OtherEntries.create(settings, isResumed, lost);
    const unfinished = await UnfinishedFiles.create(settings, lost);
    const crew = await startCrew(settings, blocks, threads ?? threadsWorth(files, bytes));
    try {
      const rows = this.#rowsToWrite(others, unfinished);
      await this.#write(crew, unfinished, rows);
      if (verify) await this.#verify(crew, unfinished);
      others.linkNames();
      others.finishDirectories();
      others.finishRoot(() => this.#target.removeMark());
    } catch (error) {
      for (const row of this.#piecesLeft.keys()) unfinished.discard(row);
      if (this.#done === 0 && !isResumed) this.#target.empty();
      throw error;
    } finally {
      await crew.close();
      unfinished.close();
      others.close();
    }
    return { files, bytes, kept: this.#kept, lost: this.#lost };
  }

  /** Makes everything but regular files on the way to those, so that their directories are there. */
  *#rowsToWrite(others: OtherEntries, unfinished: UnfinishedFiles): Generator<number> {
    const { mode, link } = this.#columns;
    for (const { row } of walkRows(this.#columns)) {
      if (kindOfMode(mode[row]!) !== 'file' || link[row]) others.make(row);
      else if (this.#target.isResumed && unfinished.isComplete(row)) this.#kept++;
      else yield row;
    }
  }

  async #write(crew: Crew, unfinished: UnfinishedFiles, rows: Iterable<number>): Promise<void> {
    const begin = (row: number, pieces: number) => {
      closeSync(unfinished.begin(row));
      this.#piecesLeft.set(row, pieces);
    };
    await this.#doJobs(crew, 'write', this.#pieces(rows, begin), ({ pieces }) => {
      this.#done += pieces.length;
      for (const { row } of pieces) {
        const left = this.#piecesLeft.get(row);
        if (left === undefined) continue;
        this.#piecesLeft.set(row, left - 1);
        if (left > 1) continue;
        unfinished.finish(row, unfinished.reopen(row));
        this.#piecesLeft.delete(row);
      }
    });
  }

  async #verify(crew: Crew, unfinished: UnfinishedFiles): Promise<void> {
    await (await loadLibc())?.syncFileSystem(this.#target.root);
    const wrong = await this.#wrongFiles(crew, this.#fileRows());
    if (wrong.size === 0) return;
    await this.#write(crew, unfinished, wrong);
    await (await loadLibc())?.syncFileSystem(this.#target.root);
    const [still] = await this.#wrongFiles(crew, wrong);
    if (still !== undefined)
      throw new Failure('corrupt', `${pathAt(this.#columns, still)} does not read back as it was written`, {
        hint: 'look at the disk of the target: it gives back other bytes than it was given',
      });
  }

  async #wrongFiles(crew: Crew, rows: Iterable<number>): Promise<Set<number>> {
    const wrong = new Set<number>();
    await this.#doJobs(
      crew,
      'verify',
      this.#pieces(rows, () => {}),
      (_, result) => {
        for (const row of result.wrong) wrong.add(row);
      },
    );
    return wrong;
  }

  async #doJobs(
    crew: Crew,
    doing: Job['doing'],
    pieces: Iterable<Piece>,
    onDone: (job: Job, result: JobResult) => void,
  ): Promise<void> {
    const { onProgress = () => {} } = this.#options;
    const { bytes: totalBytes, blocks: totalBlocks } = this.#totals;
    let blocks = 0;
    await forEachParallel(
      this.#jobs(doing, pieces, crew.piecesPerJob),
      crew.concurrency,
      async (job, signal) => {
        const result = await crew.run(job, signal);
        for (const { row, loss } of result.losses) this.#countLoss(row, loss);
        onDone(job, result);
        for (const { from, to } of job.pieces) blocks += to - from;
        const bytes = totalBlocks === 0 ? 0 : Math.round((totalBytes * blocks) / totalBlocks);
        onProgress({ doing: doing === 'write' ? 'unpack' : 'verify', blocks, totalBlocks, bytes });
      },
    );
  }

  /** @param onLarge called before the first piece of a file that has several. */
  *#pieces(rows: Iterable<number>, onLarge: (row: number, pieces: number) => void): Generator<Piece> {
    for (const row of rows) {
      const count = blockCountAt(this.#columns, row);
      if (count > blocksPerPiece) onLarge(row, Math.ceil(count / blocksPerPiece));
      for (let from = 0; from === 0 || from < count; from += blocksPerPiece)
        yield { row, from, to: Math.min(from + blocksPerPiece, count) };
    }
  }

  /** Gathers pieces into jobs that are worth their message, of bounded size. */
  *#jobs(doing: Job['doing'], pieces: Iterable<Piece>, most: number): Generator<Job> {
    let gathered: Piece[] = [];
    let bytes = 0;
    for (const piece of pieces) {
      gathered.push(piece);
      bytes += this.#bytesOf(piece);
      if (gathered.length < most && bytes < bytesPerJob) continue;
      yield { doing, pieces: gathered };
      gathered = [];
      bytes = 0;
    }
    if (gathered.length > 0) yield { doing, pieces: gathered };
  }

  #bytesOf({ row, from, to }: Piece): number {
    return Math.min(to * blockSize, this.#columns.size[row]!) - from * blockSize;
  }

  *#fileRows(): Generator<number> {
    const { mode, link } = this.#columns;
    for (let row = 1; row < mode.length; row++)
      if (kindOfMode(mode[row]!) === 'file' && !link[row]) yield row;
  }

  #countLoss(row: number, loss: Loss): void {
    this.#lost[loss] = (this.#lost[loss] ?? 0) + 1;
    this.#options.onLoss?.(pathAt(this.#columns, row), loss);
  }
}

function totalsOf(columns: ManifestColumns): { files: number; bytes: number; blocks: number } {
  const totals = { files: 0, bytes: 0, blocks: 0 };
  for (let row = 0; row < columns.ino.length; row++) {
    if (kindOfMode(columns.mode[row]!) !== 'file') continue;
    totals.files++;
    if (columns.link[row]) continue;
    totals.bytes += columns.size[row]!;
    totals.blocks += blockCountAt(columns, row);
  }
  return totals;
}
