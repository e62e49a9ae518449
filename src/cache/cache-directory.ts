import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { descriptorPath, O_PATH } from '../tree/restore.ts';

/** Flags for a file that is there: a link is no file, and a fifo in its place must not keep anybody waiting. */
export const openPlainly = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A directory of a cache, as the names that lead to it from the root. */
export type Shard = readonly [string, string];

/** Where a block lies: `hh/hh/`, the layout of rfs (flist format, section 4). */
export function blockShard(id: string): Shard {
  return [id.slice(0, 2), id.slice(2, 4)];
}

/** Where a file of several blocks lies: `files/hh/`. */
export function fileShard(name: string): Shard {
  return ['files', name.slice(0, 2)];
}

/**
 * The directories of a cache. Symbolic links below its root are not followed. Where nobody but its owner can change anything, one
 * look at each directory is enough; where others can, as when the root is open to all, each is opened from the one above it
 * every time.
 */
export class CacheDirectory {
  readonly path: string;
  /** Directories that were looked at. */
  readonly #known = new Set<string>();
  #isPrivate: boolean | undefined;

  /** @param path need not exist. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Gives `use` the path of a directory, which is good until `use` returns.
   * @param make makes the directory when it is not there; without it that is an ENOENT.
   * @throws what the system says; Failure `hostile` where something else is in the place of the directory.
   */
  within<Result>([above, below]: Shard, make: boolean, use: (path: string) => Result): Result {
    if (!this.#isOurs(make)) return this.#descend(above, below, make, use);
    const path = `${this.path}/${above}/${below}`;
    if (!this.#known.has(path)) {
      this.#look(`${this.path}/${above}`, make);
      this.#look(path, make);
      this.#known.add(path);
    }
    try {
      return use(path);
    } catch (error) {
      // Somebody has removed the directory, which may as well be made again.
      if (!make || errnoOf(error) !== 'ENOENT') throw error;
      this.#known.clear();
      this.#isPrivate = undefined;
      this.#isOurs(true);
      this.#look(`${this.path}/${above}`, true);
      this.#look(path, true);
      return use(path);
    }
  }

  /** Makes the root, for its owner only. */
  make(): void {
    makeWithParents(this.path, 0o700);
  }

  #isOurs(make: boolean): boolean {
    if (this.#isPrivate !== undefined) return this.#isPrivate;
    if (make) this.make();
    const root = statSync(this.path, { throwIfNoEntry: false });
    if (root === undefined) throw notThere;
    this.#isPrivate = isTrusted(root);
    return this.#isPrivate;
  }

  #look(path: string, make: boolean): void {
    if (make) makeUnlessThere(path);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) throw notThere;
    if (!stats.isDirectory()) throw notADirectory(path);
  }

  #descend<Result>(above: string, below: string, make: boolean, use: (path: string) => Result): Result {
    return openBeneath(this.path, above, make, (first) =>
      openBeneath(first, below, make, (second) => use(second)),
    );
  }
}

/** Made once: to say for each block that it is not there would take as long as to read and decode a small one. */
const notThere = Object.assign(new Error('ENOENT: there is no such directory in the cache'), {
  code: 'ENOENT',
});

/** Whether nobody but its owner and root can change a file or a directory, and the owner is we, or root. */
export function isTrusted({ uid, mode }: Stats): boolean {
  return (uid === process.geteuid!() || uid === 0) && (mode & 0o022) === 0;
}

function openBeneath<Result>(
  path: string,
  name: string,
  make: boolean,
  use: (path: string) => Result,
): Result {
  const inside = join(path, name);
  if (make) makeUnlessThere(inside);
  const directory = openSync(inside, O_PATH | constants.O_NOFOLLOW);
  try {
    if (!fstatSync(directory).isDirectory()) throw notADirectory(inside);
    return use(descriptorPath(directory));
  } finally {
    closeSync(directory);
  }
}

/** Not Node's own way to make those above it: below /proc, where no name can be made, that never returns. */
function makeWithParents(path: string, mode?: number): void {
  try {
    makeUnlessThere(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    makeWithParents(dirname(path));
    makeUnlessThere(path, mode);
  }
}

function makeUnlessThere(path: string, mode?: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function notADirectory(path: string): Failure {
  return new Failure('hostile', `${path} is in the place of a directory of the cache`, {
    hint: 'remove it',
  });
}
