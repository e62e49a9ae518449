import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { errnoOf, Failure } from '../../base/errors.ts';
import { makeDirectory } from '../../base/files.ts';
import { descriptorPath } from '../../tree/restore.ts';
import { type ManifestColumns, nameBytes } from '../manifest/manifest-columns.ts';
import { failureAt } from './failures.ts';
import { holdsAll } from './holds-all.ts';

/**
 * The directory that is unpacked into. While it is unfinished there is an empty file in it whose name says of what: by
 * that a later run knows that it may go on.
 */
export class UnpackTarget {
  /** The open directory. */
  readonly root: number;
  /** Whether an earlier run began with it. */
  readonly isResumed: boolean;
  /** How the names of unfinished files begin. */
  readonly prefix: string;
  readonly #mark: string;

  private constructor(root: number, isResumed: boolean, prefix: string, mark: string) {
    this.root = root;
    this.isResumed = isResumed;
    this.prefix = prefix;
    this.#mark = mark;
  }

  /**
   * Takes a new directory, an empty one, one in which an unpacking of the same manifest with the same owners was interrupted, or
   * one that holds all of the manifest and nothing else.
   * @throws Failure `conflict` for every other one, and for a symbolic link.
   */
  static async open(directory: string, columns: ManifestColumns, owners: boolean): Promise<UnpackTarget> {
    const prefix = unusedPrefix(columns);
    const mark = `${prefix}${digestOf(columns, owners)}`;
    const root = await openDirectory(directory);
    try {
      const present = readdirSync(descriptorPath(root));
      const isMarked = present.includes(mark);
      if (!isMarked) {
        if (present.length > 0 && !holdsAll(columns, root)) throw notFree(directory, present);
        writeFileSync(`${descriptorPath(root)}/${mark}`, '', { flag: 'wx', mode: 0o600 });
      }
      return new UnpackTarget(root, present.length > 0, prefix, mark);
    } catch (error) {
      closeSync(root);
      throw error instanceof Failure ? error : failureAt('write', directory, error);
    }
  }

  get path(): string {
    return descriptorPath(this.root);
  }

  /** Says that everything is done. */
  removeMark(): void {
    unlinkSync(`${this.path}/${this.#mark}`);
  }

  /** Removes everything in the directory. */
  empty(): void {
    for (const name of readdirSync(this.path, { encoding: 'buffer' }))
      rmSync(Buffer.concat([Buffer.from(`${this.path}/`), name]), { recursive: true, force: true });
  }

  close(): void {
    closeSync(this.root);
  }
}

async function openDirectory(directory: string): Promise<number> {
  const open = () => openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP')
      throw new Failure('conflict', `${directory} is not a directory`, {
        hint: 'name a new or an empty directory',
      });
    if (errnoOf(error) !== 'ENOENT') throw failureAt('write', directory, error);
  }
  try {
    await makeDirectory(directory);
    return open();
  } catch (error) {
    throw failureAt('write', directory, error);
  }
}

const beginning = '.unpacking-';

function notFree(directory: string, present: readonly string[]): Failure {
  const isOther = present.some((name) => name.startsWith(beginning));
  return isOther
    ? new Failure(
        'conflict',
        `${directory} holds the unfinished unpacking of another flist, or with other owners`,
        {
          hint: 'finish that one, delete the directory, or name another',
        },
      )
    : new Failure('conflict', `${directory} is not empty`, { hint: 'name a new or an empty directory' });
}

/** A beginning that no name of the manifest has. */
function unusedPrefix(columns: ManifestColumns): string {
  const begin = Buffer.from(beginning);
  const used = new Set<string>();
  for (let row = 0; row < columns.ino.length; row++) {
    const name = nameBytes(columns, row);
    if (name[0] !== begin[0] || !begin.equals(name.subarray(0, begin.length))) continue;
    used.add(Buffer.from(name.subarray(begin.length)).toString('latin1').split('-', 1)[0]!);
  }
  let number = 0;
  while (used.has(`${number}`)) number++;
  return `${beginning}${number}-`;
}

/** Equal for equal inodes and blocks; tags and routes do not count. */
function digestOf(columns: ManifestColumns, owners: boolean): string {
  const hash = createHash('sha256').update(owners ? 'owners' : '');
  for (const [name, column] of Object.entries(columns) as [string, Uint8Array][])
    hash.update(`${name} ${column.byteLength} `).update(bytesOf(column));
  return hash.digest('hex');
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(buffer, byteOffset, byteLength);
