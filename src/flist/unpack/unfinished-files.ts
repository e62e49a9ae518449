import { type BigIntStats, closeSync, constants, lstatSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import { type Loss, type Place, Restorer } from '../../tree/restore.ts';
import { type ManifestColumns, metadataAt, pathAt } from '../manifest/manifest-columns.ts';
import { failureAt } from './failures.ts';
import { RowPlaces } from './row-places.ts';

export interface UnpackSettings {
  readonly columns: ManifestColumns;
  /** The open directory that is unpacked into. */
  readonly root: number;
  /** How names of unfinished files begin; no name of the manifest does. */
  readonly prefix: string;
  readonly owners: boolean;
}

/**
 * Regular files from their first byte to their name. Until a file is whole and has its metadata it has another name, so what has
 * its own name is complete.
 */
export class UnfinishedFiles {
  readonly #columns: ManifestColumns;
  readonly #prefix: string;
  readonly #places: RowPlaces;
  readonly #restorer: Restorer;
  #finishing = 0;

  private constructor({ columns, root, prefix }: UnpackSettings, restorer: Restorer) {
    this.#columns = columns;
    this.#prefix = prefix;
    this.#places = new RowPlaces(columns, root);
    this.#restorer = restorer;
  }

  /** @param lost called for everything that a file in that row could not be given. */
  static async create(
    settings: UnpackSettings,
    lost: (row: number, loss: Loss) => void,
  ): Promise<UnfinishedFiles> {
    const restorer = await Restorer.create(settings.owners, (loss) => lost(files.#finishing, loss));
    const files = new UnfinishedFiles(settings, restorer);
    return files;
  }

  /** Makes a file and returns its open descriptor. */
  begin(row: number): number {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    return this.#doing(row, () => {
      try {
        return openSync(this.#unfinished(row), flags, 0o600);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        unlinkSync(this.#unfinished(row)); // what an interrupted run left
        return openSync(this.#unfinished(row), flags, 0o600);
      }
    });
  }

  /** Opens again what `begin` made. */
  reopen(row: number): number {
    return this.#doing(row, () => openSync(this.#unfinished(row), constants.O_WRONLY | constants.O_NOFOLLOW));
  }

  /** Gives a file whose bytes are written its metadata, and then its name. Closes it. */
  finish(row: number, file: number): void {
    this.#finishing = row;
    this.#doing(row, () => {
      try {
        this.#restorer.finish(this.#unfinished(row), metadataAt(this.#columns, row), file);
      } finally {
        closeSync(file);
      }
      renameSync(this.#unfinished(row), this.#places.of(row));
    });
  }

  /** Removes what `begin` made, if it can. */
  discard(row: number): void {
    try {
      unlinkSync(this.#unfinished(row));
    } catch {
      // The error that led here says more; the next run removes it.
    }
  }

  /** Whether a file with the size and time of the manifest has its name. */
  isComplete(row: number): boolean {
    const options = { bigint: true, throwIfNoEntry: false } as const;
    const stats = this.#doing(row, () => lstatSync(this.#places.of(row), options));
    return stats !== undefined && isWholeFile(this.#columns, row, stats);
  }

  close(): void {
    this.#places.close();
  }

  #unfinished(row: number): Place {
    return this.#places.beside(row, `${this.#prefix}${row}`);
  }

  #doing<Result>(row: number, action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw failureAt('write', pathAt(this.#columns, row), error);
    }
  }
}

/** Whether this is a file with the size and time of the manifest. */
export function isWholeFile(columns: ManifestColumns, row: number, stats: BigIntStats): boolean {
  const { size, mtime, mtimeNs } = columns;
  if (!stats.isFile() || stats.size !== BigInt(size[row]!)) return false;
  return stats.mtimeNs === BigInt(mtime[row]!) * 1_000_000_000n + BigInt(mtimeNs[row] ?? 0);
}
