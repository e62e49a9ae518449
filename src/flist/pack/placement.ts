import { Failure } from '../../base/errors.ts';
import { nameOf, parentOf } from '../../tree/tree.ts';
import type { Previous } from './previous.ts';

interface OpenDirectory {
  readonly path: string;
  readonly ino: number;
  /** Its row in the previous manifest. */
  readonly row: number | undefined;
}

/** Where an entry stands in the manifest, and where in the previous one. */
export interface Place {
  readonly ino: number;
  readonly parent: number;
  readonly row: number | undefined;
}

/** Numbers entries that come depth first, and finds them in the previous manifest. Memory is that of the way to the root. */
export class Placement {
  readonly #previous: Previous | undefined;
  readonly #open: OpenDirectory[] = [];
  #count = 0;
  #lastRow = -1;

  constructor(previous: Previous | undefined) {
    this.#previous = previous;
  }

  next(path: string, isDirectory: boolean): Place {
    const parent = this.#enter(path);
    const ino = ++this.#count;
    const row = this.#rowOf(path, parent?.row);
    if (row !== undefined) this.#lastRow = row;
    if (isDirectory) this.#open.push({ path, ino, row });
    return { ino, parent: parent?.ino ?? 0, row };
  }

  #rowOf(path: string, parent: number | undefined): number | undefined {
    if (this.#previous === undefined) return undefined;
    if (path === '') return 0;
    return parent === undefined ? undefined : this.#previous.find(parent, nameOf(path), this.#lastRow + 1);
  }

  /** The directory of a path, which came before it. */
  #enter(path: string): OpenDirectory | undefined {
    const directory = parentOf(path);
    if (directory === undefined) return undefined;
    while (this.#open.length > 0 && this.#open.at(-1)!.path !== directory) this.#open.pop();
    const parent = this.#open.at(-1);
    if (parent === undefined)
      throw new Failure('conflict', `${path} does not come after its directory`, {
        hint: 'entries come depth first, a directory before what is in it',
      });
    return parent;
  }
}
