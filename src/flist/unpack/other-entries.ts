import { linkSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../base/errors.ts';
import { decodeName } from '../../base/names.ts';
import { chmodItself, descriptorPath, type Loss, type Place, Restorer } from '../../tree/restore.ts';
import type { Entry } from '../../tree/tree.ts';
import { splitDevice } from '../manifest/inode.ts';
import { type ManifestColumns, metadataAt, pathAt, targetBytes } from '../manifest/manifest-columns.ts';
import { failureAt } from './failures.ts';
import { RowPlaces } from './row-places.ts';
import type { UnpackSettings } from './unfinished-files.ts';

/** Everything of a manifest that is not the first name of a regular file. */
export class OtherEntries {
  readonly #columns: ManifestColumns;
  readonly #root: number;
  readonly #isResumed: boolean;
  readonly #places: RowPlaces;
  readonly #restorer: Restorer;
  readonly #directories: number[] = [];
  readonly #links: number[] = [];
  #at = 0;

  private constructor({ columns, root }: UnpackSettings, isResumed: boolean, restorer: Restorer) {
    this.#columns = columns;
    this.#root = root;
    this.#isResumed = isResumed;
    this.#places = new RowPlaces(columns, root);
    this.#restorer = restorer;
  }

  static async create(
    settings: UnpackSettings,
    isResumed: boolean,
    lost: (row: number, loss: Loss) => void,
  ): Promise<OtherEntries> {
    const restorer = await Restorer.create(settings.owners, (loss) => lost(others.#at, loss));
    const others = new OtherEntries(settings, isResumed, restorer);
    return others;
  }

  /** Makes a directory, in which the owner may do everything until it is finished, a link, or a special file. */
  make(row: number): void {
    if (row === 0) return;
    this.#doing(row, () => {
      const entry = this.#entry(row);
      if (entry === 'directory') this.#makeDirectory(row);
      else if (entry === 'file') this.#links.push(row);
      else {
        if (this.#isResumed) remove(this.#places.of(row));
        if (this.#restorer.make(this.#places.of(row), entry)) this.#finish(row);
      }
    });
  }

  /** Gives the files that have several names the others. */
  linkNames(): void {
    for (const row of this.#links) this.#doing(row, () => this.#link(row));
  }

  /** Gives the directories their metadata, from the bottom up: what happens in one changes its time and may need its mode. */
  finishDirectories(): void {
    for (const row of this.#directories.reverse()) this.#doing(row, () => this.#finish(row));
  }

  /**
   * Gives the directory itself its metadata, as the last thing.
   * @param done removes the mark that it is unfinished, which takes writing to it and changes its time.
   */
  finishRoot(done: () => void): void {
    const root = `${descriptorPath(this.#root)}/.`;
    const metadata = metadataAt(this.#columns, 0);
    const writable = metadata.mode | 0o300;
    this.#doing(0, () => {
      this.#restorer.finish(root, { ...metadata, mode: writable });
      done();
      this.#restorer.setTime(root, metadata);
      if (metadata.mode !== writable) chmodItself(root, metadata.mode);
    });
  }

  close(): void {
    this.#places.close();
  }

  #makeDirectory(row: number): void {
    this.#directories.push(row);
    try {
      mkdirSync(this.#places.of(row), 0o700);
    } catch (error) {
      if (!this.#isResumed || errnoOf(error) !== 'EEXIST') throw error;
      // It may have its final mode already. Where a link or a file lies, entries below it will not be made.
      if (lstatSync(this.#places.of(row)).isDirectory()) chmodItself(this.#places.of(row), 0o700);
      else throw error;
    }
  }

  #link(row: number): void {
    const first = () => this.#places.of(this.#columns.link[row]!);
    const place = () => this.#places.of(row);
    if (this.#isResumed) {
      const [ours, there] = [lstatSync(first()), lstatSync(place(), { throwIfNoEntry: false })];
      if (there?.ino === ours.ino && there.dev === ours.dev) return;
      remove(place());
    }
    linkSync(first(), place());
  }

  #finish(row: number): void {
    this.#restorer.finish(this.#places.of(row), metadataAt(this.#columns, row));
  }

  #entry(row: number): Exclude<Entry, { kind: 'directory' | 'file' }> | 'directory' | 'file' {
    const { kind, ...metadata } = metadataAt(this.#columns, row);
    switch (kind) {
      case 'directory':
      case 'file':
        return kind;
      case 'symlink':
        return { kind, ...metadata, target: decodeName(targetBytes(this.#columns, row)) };
      case 'character':
      case 'block':
        return { kind, ...metadata, ...splitDevice(this.#columns.rdev[row]!) };
      default:
        return { kind, ...metadata };
    }
  }

  #doing(row: number, action: () => void): void {
    this.#at = row;
    try {
      action();
    } catch (error) {
      throw failureAt('write', pathAt(this.#columns, row), error);
    }
  }
}

/** Removes what an earlier run made, but no directory. */
function remove(place: Place): void {
  try {
    unlinkSync(place);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
