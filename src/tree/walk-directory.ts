import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { errnoOf, Failure } from '../base/errors.ts';
import type { Libc } from '../base/libc.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { FoundContent } from './content.ts';
import type { Exclude } from './exclude.ts';
import type { DirectoryEntry, Entry } from './tree.ts';

export interface WalkOptions {
  /** What is left out; nothing by default. */
  readonly exclude?: Exclude | undefined;
  /** Whether directories on which other file systems are mounted are taken as empty ones. */
  readonly oneFileSystem?: boolean | undefined;
  /** Reads extended attributes; without it there are none. */
  readonly libc?: Libc | undefined;
  /** Called for what cannot be read, which is left out; without it the walk ends there. */
  readonly onProblem?: ((path: string, error: Failure) => void) | undefined;
}

/**
 * The entries below a directory of this machine, as they are now: depth first from the root, the names of one directory in byte
 * order. Contents stay where they are. A hard-link group is called by the numbers of its file system and inode. Memory
 * is that of the names in the directories on the way.
 * @throws Failure `not-found` when there is no such directory, `denied` when something may not be read.
 */
export function* walkDirectory(
  directory: string,
  options: WalkOptions = {},
): Generator<readonly [path: string, entry: Entry]> {
  const walk = new Walk(directory, options);
  yield* walk.entries();
}

/** What a path of a walk shows now; undefined when nothing is there any more. */
export function lookAgain(
  directory: string,
  path: string,
  { libc }: Pick<WalkOptions, 'libc'> = {},
): Entry | undefined {
  try {
    const file = `${directory}/${path}`;
    return entryOf(bytePath(file), file, libc).entry;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw unreadable(`${directory}/${path}`, error);
  }
}

/** A directory on the way down: its paths, and its names from the last to the next. */
interface Level {
  readonly path: string;
  readonly bytes: BytePath;
  readonly names: string[];
}

/** A path whose characters are the bytes that the kernel knows it by: sorting and joining need no decoding. */
type BytePath = string;

class Walk {
  readonly #directory: string;
  readonly #options: WalkOptions;

  constructor(directory: string, options: WalkOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  *entries(): Generator<readonly [string, Entry]> {
    const { exclude, oneFileSystem, libc } = this.#options;
    const root = statsOf(this.#directory);
    yield ['', directoryEntry(root, bytePath(this.#directory), libc)];
    const levels: Level[] = [this.#level('', bytePath(this.#directory))];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        levels.pop();
        continue;
      }
      const text = isAscii(name) ? name : decodeName(Buffer.from(name, 'latin1'));
      const path = level.path === '' ? text : `${level.path}/${text}`;
      const bytes = `${level.bytes}/${name}`;
      const found = this.#look(path, bytes, libc);
      if (found === undefined || exclude?.(path, found.entry.kind === 'directory')) continue;
      yield [path, found.entry];
      if (found.entry.kind !== 'directory') continue;
      if (!oneFileSystem || found.device === root.dev) levels.push(this.#level(path, bytes));
    }
  }

  #level(path: string, bytes: BytePath): Level {
    const names = this.#attempt(path, () => readdirSync(callPath(bytes), { encoding: 'latin1' }));
    return { path, bytes, names: (names ?? []).sort().reverse() };
  }

  #look(path: string, bytes: BytePath, libc: Libc | undefined): Found | undefined {
    return this.#attempt(path, () => entryOf(bytes, `${this.#directory}/${path}`, libc));
  }

  #attempt<T>(path: string, step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      const failure = unreadable(path === '' ? this.#directory : `${this.#directory}/${path}`, error);
      if (this.#options.onProblem === undefined || !(failure instanceof Failure)) throw failure;
      this.#options.onProblem(path, failure);
      return undefined;
    }
  }
}

function statsOf(directory: string): BigIntStats {
  try {
    const root = statSync(callPath(bytePath(directory)), { bigint: true });
    if (root.isDirectory()) return root;
  } catch (error) {
    throw unreadable(directory, error);
  }
  throw new Failure('not-found', `${directory} is not a directory`);
}

interface Found {
  readonly entry: Entry;
  /** The file system that it is on. */
  readonly device: bigint;
}

const typeMask = 0o170000;

function entryOf(bytes: BytePath, file: string, libc: Libc | undefined): Found {
  const path = callPath(bytes);
  const stats = lstatSync(path, { bigint: true });
  const metadata = metadataOf(stats, path, libc);
  return { entry: entryOfKind(stats, metadata, path, file), device: stats.dev };
}

function entryOfKind(
  stats: BigIntStats,
  metadata: ReturnType<typeof metadataOf>,
  path: string | Buffer,
  file: string,
): Entry {
  switch (Number(stats.mode) & typeMask) {
    case 0o040000:
      return { kind: 'directory', ...metadata };
    case 0o120000:
      return { kind: 'symlink', ...metadata, target: decodeName(readlinkSync(path, { encoding: 'buffer' })) };
    case 0o010000:
      return { kind: 'fifo', ...metadata };
    case 0o140000:
      return { kind: 'socket', ...metadata };
    case 0o020000:
      return { kind: 'character', ...metadata, ...deviceNumbers(stats.rdev) };
    case 0o060000:
      return { kind: 'block', ...metadata, ...deviceNumbers(stats.rdev) };
  }
  const content = new FoundContent(file, Number(stats.size), stats);
  if (stats.nlink === 1n) return { kind: 'file', ...metadata, content };
  return { kind: 'file', ...metadata, content, hardLink: `${stats.dev}:${stats.ino}` };
}

function directoryEntry(stats: BigIntStats, bytes: BytePath, libc: Libc | undefined): DirectoryEntry {
  return { kind: 'directory', ...metadataOf(stats, callPath(bytes), libc) };
}

function metadataOf(stats: BigIntStats, path: string | Buffer, libc: Libc | undefined) {
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const xattrs = libc && xattrsOf(path, libc);
  return {
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n),
    ...(nanoseconds > 0n && { mtimeNs: Number(nanoseconds) }),
    ...(xattrs && { xattrs }),
  };
}

function xattrsOf(path: string | Buffer, libc: Libc): ReadonlyMap<string, Uint8Array> | undefined {
  const names = libc.listXattrs(path);
  if (names.length === 0) return undefined;
  const xattrs = new Map<string, Uint8Array>();
  for (const name of names) {
    const value = libc.getXattr(path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return xattrs;
}

/** The two halves of a `dev_t` as Linux and glibc lay it out (makedev(3), sys/sysmacros.h). */
function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

function bytePath(path: string): BytePath {
  return isAscii(path) ? path : encodeName(path).toString('latin1');
}

/** A path as calls take it. */
function callPath(bytes: BytePath): string | Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

function unreadable(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return new Failure('not-found', `${path} does not exist`, { cause: error });
  if (errno === 'ENOTDIR') return new Failure('not-found', `${path} is not a directory`, { cause: error });
  if (errno === 'EACCES' || errno === 'EPERM')
    return new Failure('denied', `cannot read ${path}`, { cause: error, hint: 'run as a user who may' });
  if (errno === undefined) return error;
  return new Failure('failed', `cannot read ${path}`, { cause: error });
}
