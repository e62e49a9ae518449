import { closeSync, constants, openSync } from 'node:fs';
import { decodeName } from '../../base/names.ts';
import { descriptorPath, O_PATH, type Place, placeBelow } from '../../tree/restore.ts';
import { type ManifestColumns, nameBytes } from '../manifest/manifest-columns.ts';

/** Open directories, at most; and how many of the missing ones on the way to one are kept. */
const mostOpen = 64;
const keptOnWay = 16;

/**
 * Where the rows of a manifest are below a directory. Each directory on the way is opened beneath the one above it and never through
 * a symbolic link, so no path leads outside, whatever lies there and whoever changes it meanwhile.
 */
export class RowPlaces {
  readonly #columns: ManifestColumns;
  readonly #root: number;
  /** Descriptors by row, that used longest ago first. */
  readonly #open = new Map<number, number>();

  /** @param root the open directory of row 0; stays open. */
  constructor(columns: ManifestColumns, root: number) {
    this.#columns = columns;
    this.#root = root;
  }

  /** The path of a row that is not the root. Good until the second next call: a descriptor may then name another directory. */
  of(row: number): Place {
    return this.beside(row, decodeName(nameBytes(this.#columns, row)));
  }

  /** The path of another name in the directory of a row; good as long as that of `of`. */
  beside(row: number, name: string): Place {
    return placeBelow(this.directory(this.#columns.parent[row]!), name);
  }

  /** The path of an open directory; good as long as that of `of`. */
  directory(row: number): string {
    return descriptorPath(this.#directory(row));
  }

  close(): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
    this.#open.clear();
  }

  #directory(row: number): number {
    if (row === 0) return this.#root;
    const missing: number[] = [];
    let at = row;
    while (at !== 0 && !this.#open.has(at)) {
      missing.push(at);
      at = this.#columns.parent[at]!;
    }
    let above = at === 0 ? this.#root : this.#used(at);
    let passing: number | undefined;
    while (missing.length > 0) {
      const next = missing.pop()!;
      const name = decodeName(nameBytes(this.#columns, next));
      const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
      let opened: number;
      try {
        opened = openSync(placeBelow(descriptorPath(above), name), flags);
      } finally {
        if (passing !== undefined) closeSync(passing);
      }
      passing = missing.length >= keptOnWay ? opened : undefined;
      if (passing === undefined) this.#keep(next, opened);
      above = opened;
    }
    return above;
  }

  #used(row: number): number {
    const descriptor = this.#open.get(row)!;
    this.#open.delete(row);
    this.#open.set(row, descriptor);
    return descriptor;
  }

  #keep(row: number, descriptor: number): void {
    this.#open.set(row, descriptor);
    if (this.#open.size <= mostOpen) return;
    const [oldest, unused] = this.#open.entries().next().value!;
    this.#open.delete(oldest);
    closeSync(unused);
  }
}
