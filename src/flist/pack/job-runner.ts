import { closeSync, constants, fstatSync, openSync, readSync, rmSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import { systemPath } from '../../base/names.ts';
import { DirectWriter, type Shards } from '../../store/dir/direct-writer.ts';
import { blockSize } from '../block/block-codec.ts';
import { BlockEncoder } from '../block/block-encoder.ts';
import { BlockTable, type SharedBlocks } from './block-table.ts';
import type { AddedBlock, FilePiece, JobResult, PackJob, Piece, PieceProblem } from './job.ts';

export interface JobRunnerOptions {
  readonly blocks: SharedBlocks;
  /** The directory store into which blocks are written; without it they go back to the main thread. */
  readonly directory?: TargetDirectory | undefined;
  /** Nothing is to be stored: nobody gets the bytes of blocks. */
  readonly dryRun?: boolean;
}

/** A directory store, and what was in it when the pack began. */
export interface TargetDirectory {
  readonly root: string;
  readonly shards: Shards;
}

/** A file is not what it was when it was found. */
class Changed extends Error {}

/**
 * Does jobs one after the other, with calls that block: reads the files, and makes blocks of what no thread has met before. Its
 * buffers are reused for ever.
 */
export class JobRunner {
  readonly #table: BlockTable;
  readonly #encoder: BlockEncoder;
  readonly #writer: DirectWriter | undefined;
  readonly #dryRun: boolean;
  #added: AddedBlock[] = [];

  private constructor({ blocks, directory, dryRun = false }: JobRunnerOptions, encoder: BlockEncoder) {
    this.#table = new BlockTable(blocks);
    this.#encoder = encoder;
    this.#writer = directory && new DirectWriter(directory.root, directory.shards);
    this.#dryRun = dryRun;
  }

  static async create(options: JobRunnerOptions): Promise<JobRunner> {
    return new JobRunner(options, await BlockEncoder.create());
  }

  /** @throws Failure of the store; a file that cannot be read is a problem of the result. */
  run(job: PackJob): JobResult {
    this.#added = [];
    try {
      return this.#run(job);
    } catch (error) {
      for (const { temporary } of this.#added)
        if (temporary !== undefined) rmSync(temporary, { force: true });
      throw error;
    }
  }

  #run({ pieces }: PackJob): JobResult {
    const places = new Uint32Array(pieces.reduce((sum, piece) => sum + blockCount(piece), 0));
    const problems: PieceProblem[] = [];
    let next = 0;
    for (const [index, piece] of pieces.entries()) {
      const target = places.subarray(next, next + blockCount(piece));
      next += target.length;
      try {
        if ('bytes' in piece) target[0] = this.#block(this.#filled(piece.bytes));
        else this.#readFile(piece, target);
      } catch (error) {
        const why = problemOf(error);
        if (why === undefined) throw error;
        problems.push({ piece: index, why, cause: (error as Error).message });
      }
    }
    return { places, added: this.#added, problems };
  }

  #filled(bytes: Uint8Array): Buffer {
    const plain = this.#encoder.plain(bytes.length);
    plain.set(bytes);
    return plain;
  }

  #readFile({ file, offset, size, whole }: FilePiece, places: Uint32Array): void {
    // A file that has become a link or a fifo since it was found is neither followed nor waited for.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK | (whole?.state ? constants.O_NOFOLLOW : 0);
    const descriptor = openSync(systemPath(file), flags);
    try {
      if (whole !== undefined) checkState(descriptor, whole);
      for (let index = 0; index < places.length; index++) {
        const start = index * blockSize;
        const plain = this.#encoder.plain(Math.min(blockSize, size - start));
        readFully(descriptor, plain, offset + start);
        places[index] = this.#block(plain);
      }
      if (whole !== undefined) checkState(descriptor, whole);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The place of the block whose bytes were filled in. */
  #block(plain: Buffer): number {
    const { place, isNew } = this.#table.add(this.#encoder.key(plain));
    if (!isNew) return place;
    const { id, blob } = this.#encoder.encode();
    this.#table.setId(place, id);
    const storedSize = blob.length;
    if (this.#dryRun) this.#added.push({ place, storedSize });
    else if (this.#writer === undefined) this.#added.push({ place, storedSize, blob: Uint8Array.from(blob) });
    else this.#added.push({ place, storedSize, temporary: this.#writer.write(id.toString('hex'), blob) });
    return place;
  }
}

/** How many blocks a piece has. */
export function blockCount(piece: Piece): number {
  return 'bytes' in piece ? 1 : Math.ceil(piece.size / blockSize);
}

function checkState(descriptor: number, { size, state }: NonNullable<FilePiece['whole']>): void {
  const found = fstatSync(descriptor, { bigint: true });
  if (!found.isFile()) throw new Changed('it is no longer a regular file');
  if (found.size !== BigInt(size)) throw new Changed(`it has ${found.size} bytes, expected ${size}`);
  if (state === undefined) return;
  if (found.ino !== state.ino || found.ctimeNs !== state.ctimeNs || found.mtimeNs !== state.mtimeNs)
    throw new Changed('it was written to');
}

/** Reads until the buffer is full: a file system may give less than it was asked for. */
function readFully(descriptor: number, buffer: Buffer, position: number): void {
  for (let filled = 0; filled < buffer.length; ) {
    const count = readSync(descriptor, buffer, filled, buffer.length - filled, position + filled);
    if (count === 0) throw new Changed(`it ends at byte ${position + filled}`);
    filled += count;
  }
}

/** Undefined for an error that is not about the file. */
function problemOf(error: unknown): PieceProblem['why'] | undefined {
  if (error instanceof Changed) return 'changed';
  const { syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'open' && syscall !== 'read' && syscall !== 'fstat') return undefined;
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE', 'ENXIO'].includes(errnoOf(error) ?? '')
    ? 'changed'
    : 'unreadable';
}
