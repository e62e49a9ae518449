import { chmod, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { syncDirectory } from '../../base/files.ts';
import { compareBytes, encodeName } from '../../base/names.ts';
import type { BlockRef } from '../block/block-codec.ts';
import { unfinishedManifest } from '../unfinished-manifests.ts';
import { type Inode, kindOfMode } from './inode.ts';
import type { ManifestSettings } from './manifest.ts';
import { ManifestDatabase } from './manifest-database.ts';
import {
  checkBlockCount,
  checkInode,
  checkPrefetch,
  checkRef,
  checkRoute,
  checkTag,
  checkXattr,
  failureOf,
  maxPath,
  missingParent,
  quoted,
  Violation,
} from './manifest-rules.ts';

/** A directory that may still get entries. */
interface OpenDirectory {
  readonly ino: number;
  readonly pathLength: number;
  lastName: Buffer | undefined;
}

/**
 * Writes an `.fl` file that rfs reads too, inode by inode, in bounded memory. Rows go into a hidden SQLite file beside the
 * target, which gets its name in `finish`: the name shows the old or the whole new file, whatever happens. Equal rows
 * give equal bytes. When `add` fails, the writer is to be abandoned.
 */
export class ManifestWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #database: ManifestDatabase;
  /** The directories from the root to the latest entry. */
  readonly #open: OpenDirectory[] = [];
  #count = 0;

  private constructor(path: string, temporary: string, database: ManifestDatabase) {
    this.#path = path;
    this.#temporary = temporary;
    this.#database = database;
  }

  /** @param path of the `.fl` file; its directory is made */
  static async create(path: string): Promise<ManifestWriter> {
    let temporary: string | undefined;
    try {
      temporary = await unfinishedManifest(path);
      return new ManifestWriter(path, temporary, new ManifestDatabase(temporary));
    } catch (error) {
      if (temporary !== undefined) await rm(temporary, { force: true });
      throw unwritable(path, error);
    }
  }

  /**
   * Takes the next inode with its blocks. Inodes come numbered from 1, depth first: a directory before its entries, which
   * are in byte order of their names.
   * @throws Failure for what `readManifest` or rfs could not read back
   */
  add(inode: Inode, refs: readonly BlockRef[] = []): void {
    try {
      this.#check(inode, refs);
      this.#database.insertInode(inode, refs);
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }

  /**
   * Adds tags, routes and what is to be fetched ahead, and gives the file its name when all of it is on the disk. Nothing is left after an error.
   * @throws Failure
   */
  async finish({
    tags = new Map(),
    routes = [],
    prefetch = [],
  }: Partial<ManifestSettings> = {}): Promise<void> {
    try {
      if (this.#count === 0) throw new Violation('it has no root');
      for (const [key, value] of [...tags].sort(([a], [b]) => compareBytes(a, b))) {
        checkTag(key, value);
        this.#database.insertTag(key, value);
      }
      for (const route of routes) {
        checkRoute(route);
        this.#database.insertRoute(route.start, route.end, route.url);
      }
      let place = 0;
      for (const range of prefetch) {
        checkPrefetch(range);
        this.#database.insertPrefetch(++place, range);
      }
      this.#database.commit();
      await this.#publish();
    } catch (error) {
      await this.abandon();
      throw unwritable(this.#path, error);
    }
  }

  /** Removes what was written; the former file stays. */
  async abandon(): Promise<void> {
    this.#database.close();
    await rm(this.#temporary, { force: true });
  }

  async #publish(): Promise<void> {
    await chmod(this.#temporary, 0o644);
    const file = await open(this.#temporary, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(this.#temporary, this.#path);
    await syncDirectory(dirname(this.#path));
  }

  #check(inode: Inode, refs: readonly BlockRef[]): void {
    const { ino, parent, mode, target, link, xattrs } = inode;
    const name = encodeName(inode.name);
    checkInode(inode, name, encodeName(target ?? ''));
    for (const [attribute, value] of xattrs ?? []) checkXattr(ino, attribute, value);
    checkBlockCount(inode, refs.length);
    for (const ref of refs) checkRef(ino, ref);
    if (ino !== this.#count + 1)
      throw new Violation(`inode ${ino} is out of order: ${this.#count + 1} is next`);
    if (link !== undefined && !(link < ino && kindOfMode(mode) === 'file'))
      throw new Violation(`inode ${ino} cannot be a hard link to ${link}`);
    const pathLength = parent === 0 ? 0 : this.#enter(ino, parent, name);
    if (kindOfMode(mode) === 'directory') this.#open.push({ ino, pathLength, lastName: undefined });
    this.#count++;
  }

  /** Goes to the directory that gets another entry, and returns the length of the entry's path in bytes. */
  #enter(ino: number, parent: number, name: Buffer): number {
    while (this.#open.length > 0 && this.#open.at(-1)!.ino !== parent) this.#open.pop();
    const directory = this.#open.at(-1);
    if (directory === undefined) throw missingParent(ino, parent);
    const order = directory.lastName === undefined ? 1 : Buffer.compare(name, directory.lastName);
    if (order === 0) throw new Violation(`directory ${parent} has two entries named ${quoted(name)}`);
    if (order < 0) throw new Violation(`inode ${ino}, ${quoted(name)}, is out of order in its directory`);
    directory.lastName = name;
    const pathLength = directory.pathLength + 1 + name.length;
    if (pathLength > maxPath) throw new Violation(`the path of inode ${ino} is longer than ${maxPath} bytes`);
    return pathLength;
  }
}

function unwritable(path: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  const failure = failureOf(
    error,
    `the manifest ${path} cannot be written`,
    'rename the file, or leave it out',
  );
  if (failure instanceof Failure) return failure;
  const isFull = /disk is full|ENOSPC|EDQUOT/.test(String(error));
  return new Failure('failed', `cannot write the manifest ${path}`, {
    cause: error,
    ...(isFull && { hint: 'make room on the disk that it lies on, and run the command again' }),
  });
}
