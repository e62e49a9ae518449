import { type BigIntStats, lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { errnoOf, Failure } from '../base/errors.ts';
import type { Libc } from '../base/libc.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { type FileState, FoundContent } from './content.ts';
import { type Exclude, excludeMatching } from './exclude.ts';
import type { Entry } from './tree.ts';

export interface WalkOptions {
  /** What is left out, as `excludeMatching` takes it; nothing by default. */
  readonly exclude?: readonly string[] | undefined;
  /** Whether directories on which other file systems are mounted are taken as empty ones. */
  readonly oneFileSystem?: boolean | undefined;
  /** Called for what cannot be read, which is left out; without it the walk ends there. */
  readonly onProblem?: ((path: string, error: Failure) => void) | undefined;
}

/** What lstat(2) says, as far as it counts here. */
export interface FoundStats {
  /** With the bits of its type. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  /** Whole seconds. */
  readonly mtime: number;
  /** The nanoseconds after them. */
  readonly mtimeNs: number;
  readonly dev: bigint;
  readonly state: FileState;
}

/** Something that a walk met. */
export interface Found {
  /** As in a `Tree`. */
  readonly path: string;
  readonly stats: FoundStats;
  /** Where a symbolic link points to. */
  readonly target?: string;
}

/**
 * The entries below a directory of this machine, as they are now: depth first from the root, the names of one directory in byte
 * order. Contents stay where they are; extended attributes are left to `lookAtXattrs`. A hard-link group is called by the numbers
 * of its file system and inode. Memory is that of the names in the directories on the way.
 * @throws Failure `not-found` when there is no such directory, `denied` when something may not be read, `usage` for a pattern
 * that can match nothing.
 */
export function* walkDirectory(
  directory: string,
  options: WalkOptions = {},
): Generator<readonly [path: string, entry: Entry]> {
  for (const found of findBelow(directory, options)) yield [found.path, entryOf(directory, found)];
}

/** What `walkDirectory` makes entries of. */
export function findBelow(directory: string, options: WalkOptions = {}): Generator<Found> {
  return new Walk(directory, options).found();
}

/** What was found, as an entry. */
export function entryOf(directory: string, { path, stats, target = '' }: Found): Entry {
  const metadata = metadataOf(stats);
  switch (typeOf(stats)) {
    case fileTypes.directory:
      return { kind: 'directory', ...metadata };
    case fileTypes.symlink:
      return { kind: 'symlink', ...metadata, target };
    case fileTypes.fifo:
      return { kind: 'fifo', ...metadata };
    case fileTypes.socket:
      return { kind: 'socket', ...metadata };
    case fileTypes.character:
      return { kind: 'character', ...metadata, ...deviceNumbers(stats.rdev) };
    case fileTypes.block:
      return { kind: 'block', ...metadata, ...deviceNumbers(stats.rdev) };
  }
  const content = new FoundContent(`${directory}/${path}`, stats.size, stats.state);
  if (stats.nlink === 1) return { kind: 'file', ...metadata, content };
  return { kind: 'file', ...metadata, content, hardLink: `${stats.dev}:${stats.state.ino}` };
}

/** What a path of a walk shows now; undefined when nothing is there any more. */
export function lookAgain(directory: string, path: string): Entry | undefined {
  const file = `${directory}/${path}`;
  try {
    return entryOf(directory, { path, ...lookAt(bytePath(file)) });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw unreadable(file, error);
  }
}

/** The extended attributes of what is at a path of a walk now; undefined when there are none. @throws Failure */
export function lookAtXattrs(
  directory: string,
  path: string,
  libc: Libc,
): ReadonlyMap<string, Uint8Array> | undefined {
  const file = `${directory}/${path || '.'}`;
  try {
    return xattrsOf(callPath(bytePath(file)), libc);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** A directory on the way down: its paths, and its names from the last to the next. */
interface Level {
  readonly path: string;
  readonly bytes: BytePath;
  readonly names: string[];
  readonly ctimeNs: bigint;
  /** For what is in it, see `FileState`. */
  readonly pathNs: bigint;
}

/** A path whose characters are the bytes that the kernel knows it by: sorting and joining need no decoding. */
type BytePath = string;

class Walk {
  readonly #directory: string;
  readonly #options: WalkOptions;
  readonly #exclude: Exclude | undefined;

  constructor(directory: string, options: WalkOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#exclude = options.exclude?.length ? excludeMatching(options.exclude) : undefined;
  }

  *found(): Generator<Found> {
    const { oneFileSystem } = this.#options;
    const root = statsOf(this.#directory);
    yield { path: '', stats: root };
    const levels: Level[] = [this.#level('', bytePath(this.#directory), root, 0n)];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        levels.pop();
        continue;
      }
      const text = isAscii(name) ? name : decodeName(Buffer.from(name, 'latin1'));
      const path = level.path === '' ? text : `${level.path}/${text}`;
      const bytes = `${level.bytes}/${name}`;
      const found = this.#attempt(path, () => lookAt(bytes, level.pathNs));
      if (found === undefined) continue;
      const { stats } = found;
      const isDirectory = typeOf(stats) === fileTypes.directory;
      if (this.#exclude?.(path, isDirectory)) continue;
      yield { path, ...found };
      if (!isDirectory || (oneFileSystem && stats.dev !== root.dev)) continue;
      const pathNs = later(level.pathNs, renamedBefore(stats, level.ctimeNs));
      levels.push(this.#level(path, bytes, stats, pathNs));
    }
  }

  #level(path: string, bytes: BytePath, { state: { ctimeNs } }: FoundStats, pathNs: bigint): Level {
    const names = this.#attempt(path, () => readdirSync(callPath(bytes), { encoding: 'latin1' }));
    return { path, bytes, names: (names ?? []).sort().reverse(), ctimeNs, pathNs };
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

function statsOf(directory: string): FoundStats {
  try {
    const root = statSync(callPath(bytePath(directory)), { bigint: true });
    if (root.isDirectory()) return statsFrom(root);
  } catch (error) {
    throw unreadable(directory, error);
  }
  throw new Failure('not-found', `${directory} is not a directory`);
}

/** The bits of `st_mode` that say what something is (inode(7)). */
const fileTypes = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  symlink: 0o120000,
  socket: 0o140000,
};

function typeOf({ mode }: FoundStats): number {
  return mode & 0o170000;
}

function lookAt(bytes: BytePath, pathNs?: bigint): Omit<Found, 'path'> {
  const path = callPath(bytes);
  const stats = statsFrom(lstatSync(path, { bigint: true }), pathNs);
  if (typeOf(stats) !== fileTypes.symlink) return { stats };
  return { stats, target: decodeName(readlinkSync(path, { encoding: 'buffer' })) };
}

const second = 1_000_000_000n;

const later = (a: bigint, b: bigint) => (a > b ? a : b);
const earlier = (a: bigint, b: bigint) => (a < b ? a : b);

/**
 * After it a directory was not renamed: that would have set its `ctime` and that of the directory in which it is (ext4, xfs, btrfs, tmpfs,
 * overlayfs).
 */
function renamedBefore({ state }: FoundStats, parentCtimeNs: bigint): bigint {
  return earlier(state.ctimeNs, parentCtimeNs);
}

function statsFrom(stats: BigIntStats, pathNs?: bigint): FoundStats {
  const { dev, ino, mtimeNs, ctimeNs } = stats;
  const nanoseconds = ((mtimeNs % second) + second) % second;
  return {
    mode: Number(stats.mode),
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: Number(stats.rdev),
    size: Number(stats.size),
    mtime: Number((mtimeNs - nanoseconds) / second),
    mtimeNs: Number(nanoseconds),
    dev,
    state: pathNs === undefined ? { ino, mtimeNs, ctimeNs } : { ino, mtimeNs, ctimeNs, pathNs },
  };
}

function metadataOf({ mode, uid, gid, mtime, mtimeNs }: FoundStats) {
  return { mode: mode & 0o7777, uid, gid, mtime, ...(mtimeNs > 0 && { mtimeNs }) };
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
function deviceNumbers(number: number): { major: number; minor: number } {
  const rdev = BigInt(number);
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
