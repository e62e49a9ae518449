import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { blockSize } from '../block/block-codec.ts';
import {
  blockAt,
  blockCountAt,
  isZeroBlock,
  type ManifestColumns,
  pathAt,
  plainSizeAt,
} from '../manifest/manifest-columns.ts';
import type { BlockSupply } from './block-supply.ts';
import { dataExtents } from './data-extents.ts';
import { failureAt } from './failures.ts';
import type { UnfinishedFiles } from './unfinished-files.ts';

/** Blocks `from` up to, not including, `to` of the file in a row. */
export interface Piece {
  readonly row: number;
  readonly from: number;
  readonly to: number;
}

/** Fills files with their blocks; zeros become holes. Blocks the thread, but for what a supply makes it wait. */
export class FileWriter {
  readonly #columns: ManifestColumns;
  readonly #files: UnfinishedFiles;
  readonly #supply: BlockSupply;

  constructor(columns: ManifestColumns, files: UnfinishedFiles, supply: BlockSupply) {
    this.#columns = columns;
    this.#files = files;
    this.#supply = supply;
  }

  /** Writes a whole file. */
  async write(row: number): Promise<void> {
    const file = this.#files.begin(row);
    try {
      await this.#closedOnFailure(file, { row, from: 0, to: blockCountAt(this.#columns, row) });
      this.#files.finish(row, file);
    } catch (error) {
      this.#files.discard(row);
      throw error;
    }
  }

  /** Writes a part of a file that is begun already. */
  async writePart(piece: Piece): Promise<void> {
    const file = this.#files.reopen(piece.row);
    await this.#closedOnFailure(file, piece);
    closeSync(file);
  }

  async #closedOnFailure(file: number, piece: Piece): Promise<void> {
    try {
      await this.#writeBlocks(file, piece);
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  async #writeBlocks(file: number, { row, from, to }: Piece): Promise<void> {
    let written = 0;
    for (let index = from; index < to; index++) {
      if (isZeroBlock(this.#columns, row, index)) continue;
      const supplied = this.#supplied(row, index);
      const plain = supplied instanceof Promise ? await supplied : supplied;
      const offset = index * blockSize;
      try {
        for (const [start, end] of dataExtents(plain)) {
          writeWhole(file, plain.subarray(start, end), offset + start);
          written = offset + end;
        }
      } catch (error) {
        throw this.#failure('write', row, error);
      }
    }
    const size = this.#columns.size[row]!;
    const endsInHole = to === blockCountAt(this.#columns, row) && written < size;
    if (endsInHole) ftruncateSync(file, size);
  }

  #supplied(row: number, index: number): Uint8Array | Promise<Uint8Array> {
    const place = this.#columns.blockStart[row]! + index;
    const plainSize = plainSizeAt(this.#columns, row, index);
    try {
      const supplied = this.#supply.plain(place, blockAt(this.#columns, place), plainSize);
      return supplied instanceof Promise
        ? supplied.catch((error) => Promise.reject(this.#failure('read', row, error)))
        : supplied;
    } catch (error) {
      throw this.#failure('read', row, error);
    }
  }

  #failure(doing: 'read' | 'write', row: number, cause: unknown): unknown {
    return failureAt(doing, pathAt(this.#columns, row), cause);
  }
}

function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, position + done);
}
