import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import { type Libc, loadLibc } from '../../base/libc.ts';
import { chmodItself, type Place } from '../../tree/restore.ts';
import { blockKey, blockSize } from '../block/block-codec.ts';
import { blockAt, type ManifestColumns, pathAt, plainSizeAt } from '../manifest/manifest-columns.ts';
import { failureAt } from './failures.ts';
import type { Piece } from './file-writer.ts';
import { RowPlaces } from './row-places.ts';

/** Reads files back and holds them against the manifest. What was written must be on the disk already to be read from there. */
export class FileVerifier {
  readonly #columns: ManifestColumns;
  readonly #places: RowPlaces;
  readonly #libc: Libc | undefined;
  readonly #room = Buffer.allocUnsafeSlow(blockSize);

  private constructor(columns: ManifestColumns, root: number, libc: Libc | undefined) {
    this.#columns = columns;
    this.#places = new RowPlaces(columns, root);
    this.#libc = libc;
  }

  /** @param root the open directory that was unpacked into. */
  static async create(columns: ManifestColumns, root: number): Promise<FileVerifier> {
    return new FileVerifier(columns, root, await loadLibc());
  }

  /** Whether a piece of a file has the hashes of the manifest. */
  holds(piece: Piece): boolean {
    try {
      const file = openToRead(this.#places.of(piece.row));
      try {
        return this.#hasHashes(file, piece);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      throw failureAt('read', pathAt(this.#columns, piece.row), error);
    }
  }

  close(): void {
    this.#places.close();
  }

  #hasHashes(file: number, { row, from, to }: Piece): boolean {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size !== this.#columns.size[row]) return false;
    this.#libc?.dropCached(file);
    for (let index = from; index < to; index++) {
      const plain = this.#room.subarray(0, plainSizeAt(this.#columns, row, index));
      if (!readWhole(file, plain, index * blockSize)) return false;
      if (blockKey(plain) !== blockAt(this.#columns, this.#columns.blockStart[row]! + index).key)
        return false;
    }
    return true;
  }
}

function openToRead(place: Place): number {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  try {
    return openSync(place, flags);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
  }
  // Our own file, with a mode that does not even let us read it.
  const { mode } = lstatSync(place);
  chmodItself(place, 0o600);
  try {
    return openSync(place, flags);
  } finally {
    chmodItself(place, mode & 0o7777);
  }
}

/** Fills `bytes` from a position on; false when the file ends before. */
function readWhole(file: number, bytes: Uint8Array, position: number): boolean {
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, bytes, done, bytes.length - done, position + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}
