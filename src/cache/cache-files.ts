import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { threadId } from 'node:worker_threads';
import { describeError, errnoOf, Failure } from '../base/errors.ts';
import { encodeMap, encodeMapStart, flagAt, mapSize } from './block-map.ts';
import {
  blockShard,
  CacheDirectory,
  fileShard,
  isTrusted,
  openPlainly,
  type Shard,
} from './cache-directory.ts';
import { type FileKind, OpenFile, readExactly } from './open-files.ts';
import { fileIdentity, fileName, isZeroBlock, type PlainBlock, type PlainFile } from './plain-file.ts';
import { type SharedCache, Word } from './shared-cache.ts';
import { Trust } from './trust.ts';

/** What the cache of one thread stands on: where its files are, what may be believed of them, and what becomes of damaged ones. */
export class CacheFiles {
  readonly trust: Trust;
  readonly directory: CacheDirectory;
  readonly #words: Int32Array;
  readonly #warn: (line: string) => void;

  constructor(shared: SharedCache, warn: (line: string) => void) {
    this.trust = new Trust(shared);
    this.directory = new CacheDirectory(shared.directory);
    this.#words = new Int32Array(shared.words);
    this.#warn = warn;
  }

  /** Opens the file of a block for reading; undefined when there is none. */
  openBlock(block: PlainBlock): OpenFile | undefined {
    return quiet(() =>
      this.directory.within(blockShard(block.id), false, (path) =>
        opened('block', block.id, { path: `${path}/${block.id}`, size: block.size, count: 1 }),
      ),
    );
  }

  /** Opens a file of several blocks, or what there is of it, for reading; undefined when there is nothing. */
  openFile(file: PlainFile): OpenFile | undefined {
    const name = fileName(file);
    const { size, count } = file;
    return quiet(() =>
      this.directory.within(fileShard(name), false, (path) => {
        const whole = quiet(() => opened('whole', name, { path: `${path}/${name}`, size, count }));
        return whole ?? opened('part', name, { path: `${path}/${name}.part`, size, count });
      }),
    );
  }

  /** Whether there is a file of a block, of the right size. */
  hasBlock({ id, size }: PlainBlock): boolean {
    return this.#has(blockShard(id), id, size);
  }

  /** Whether there is a whole file of several blocks, of the right size. */
  hasWhole(file: PlainFile): boolean {
    const name = fileName(file);
    return this.#has(fileShard(name), name, file.size);
  }

  /** Opens the part of a file for writing, and makes it when there is none; undefined when the file is whole. */
  openPart(file: PlainFile): OpenFile | undefined {
    const name = fileName(file);
    const { size, count } = file;
    return this.directory.within(fileShard(name), true, (path) => {
      this.trust.tryTimes(path);
      if (this.hasWhole(file)) return undefined;
      quiet(() => unlinkSync(`${path}/${name}`)); // of another size, so not what its name says
      const part = `${path}/${name}.part`;
      // A map that is there before its part is that of a file that is gone: who makes both makes the part first.
      if (isThere(`${path}/${name}.map`) && !isThere(part)) quiet(() => unlinkSync(`${path}/${name}.map`));
      const makePart = () => closeSync(openSync(part, 'wx', fileMode));
      const descriptor = openOwn(part, (open) => hasSize(open, size), makePart);
      try {
        const makeMap = () => this.#makeMap(path, file, (block) => isZeroBlock(block));
        const map = openOwn(`${path}/${name}.map`, (open) => isMapOf(open, file), makeMap);
        return new OpenFile('part', name, { descriptor, map, size, count });
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
    });
  }

  /** Gives a part, all of whose blocks are there, the name of a whole file. The map stays, for its keys. */
  finishPart(name: string): void {
    this.directory.within(fileShard(name), true, (path) => {
      try {
        renameSync(`${path}/${name}.part`, `${path}/${name}`);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error; // somebody else was first
      }
    });
  }

  /** Writes a block as a file of its own. */
  writeBlock(block: PlainBlock, plain: Uint8Array): void {
    this.directory.within(blockShard(block.id), true, (path) => {
      this.trust.tryTimes(path);
      writeNew(path, block.id, plain, (file, temporary) => {
        renameSync(temporary, `${path}/${block.id}`);
        this.trust.setRight(block.key, 0, this.trust.look(file));
      });
    });
  }

  /** Takes a block that is wrong out of the cache; of a file, the other blocks stay. */
  discard(open: OpenFile, file: PlainFile, index: number): void {
    const what = open.kind === 'block' ? `block ${open.name}` : `block ${index} of file ${open.name}`;
    try {
      if (open.kind === 'block') this.#discardBlock(open);
      else this.#discardInFile(open, file, index);
      this.#warn(`${what} in the cache ${this.directory.path} was damaged and is no longer used`);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      this.#warn(`${what} in the cache ${this.directory.path} is damaged: ${describeError(error)}`);
    }
  }

  /** Says once, until the cache can be written again, why it cannot be. */
  cannotWrite(error: unknown): void {
    if (errnoOf(error) === undefined && !(error instanceof Failure)) throw error;
    if (Atomics.exchange(this.#words, Word.warned, 1) === 1) return;
    this.#warn(`cannot write to the cache ${this.directory.path}, going on without: ${describeError(error)}`);
  }

  canWrite(): void {
    Atomics.store(this.#words, Word.warned, 0);
  }

  #has(shard: Shard, name: string, size: number): boolean {
    const stats = quiet(() =>
      this.directory.within(shard, false, (path) => lstatSync(`${path}/${name}`, { throwIfNoEntry: false })),
    );
    return stats?.isFile() === true && stats.size === size;
  }

  #discardBlock({ name, descriptor }: OpenFile): void {
    this.directory.within(blockShard(name), false, (path) => {
      const place = `${path}/${name}`;
      // By now there may be another one in its place.
      if (lstatSync(place).ino === fstatSync(descriptor).ino) unlinkSync(place);
    });
  }

  #discardInFile({ kind, name }: OpenFile, file: PlainFile, index: number): void {
    this.directory.within(fileShard(name), false, (path) => {
      const makeMap = () => this.#makeMap(path, file, () => true);
      if (kind === 'whole') closeSync(openOwn(`${path}/${name}.map`, (map) => isMapOf(map, file), makeMap));
      dropBlocks(path, { name, kind, count: file.count }, [index]);
    });
  }

  /** Makes the map of a file, unless somebody else has just done so. */
  #makeMap(path: string, file: PlainFile, isThere: (block: PlainBlock) => boolean): void {
    const name = `${fileName(file)}.map`;
    const flags = Uint8Array.from({ length: file.count }, (_, i) => (isThere(file.block(i)) ? 1 : 0));
    const bytes = encodeMap(fileIdentity(file), flags);
    writeNew(path, name, bytes, (_, temporary) => linkOrRename(temporary, `${path}/${name}`));
  }
}

const fileMode = 0o644;

/** What `use` gives; undefined where the system says no. */
export function quiet<Result>(use: () => Result): Result | undefined {
  try {
    return use();
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof Failure)) throw error;
    return undefined;
  }
}

function opened(
  kind: FileKind,
  name: string,
  { path, size, count }: { path: string; size: number; count: number },
): OpenFile {
  const map =
    kind === 'part' && openSync(`${path.slice(0, -'.part'.length)}.map`, constants.O_RDONLY | openPlainly);
  try {
    const descriptor = openSync(path, constants.O_RDONLY | openPlainly);
    if (!fstatSync(descriptor).isFile()) {
      closeSync(descriptor);
      throw new Failure('hostile', `${path} is no file`);
    }
    return new OpenFile(kind, name, { descriptor, size, count, ...(map !== false && { map }) });
  } catch (error) {
    if (map !== false) closeSync(map);
    throw error;
  }
}

const isThere = (path: string) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/**
 * Opens a file of ours for writing, and makes it when there is none; another thread may do so at the same time. What somebody else put in its
 * place is removed, for it would get what we write; and so is what is not as it has to be.
 */
function openOwn(path: string, isAsItHasToBe: (file: number) => boolean, make: () => void): number {
  const open = () => {
    const file = openSync(path, constants.O_RDWR | openPlainly);
    const stats = fstatSync(file);
    if (stats.isFile() && isTrusted(stats) && isAsItHasToBe(file)) return file;
    closeSync(file);
    throw new Failure('hostile', `${path} is not what it has to be`);
  };
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof Failure)) throw error;
    if (errnoOf(error) !== 'ENOENT') quiet(() => unlinkSync(path));
  }
  try {
    make();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  return open();
}

/** Gives a file its size, which adds zeros, or takes away what cannot belong to it. */
function hasSize(file: number, size: number): true {
  if (fstatSync(file).size !== size) ftruncateSync(file, size);
  return true;
}

/** Whether it looks like the map of a file; what it says need not be right. */
function isMapOf(map: number, { size, count }: PlainFile): boolean {
  const start = encodeMapStart(size);
  const found = Buffer.alloc(start.length);
  return fstatSync(map).size === mapSize(count) && readExactly(map, found, 0) && found.equals(start);
}

let temporaries = 0;

/** Writes a new file under a temporary name, which `use` gives its own name; removed when that fails. */
export function writeNew(
  path: string,
  name: string,
  bytes: Uint8Array,
  use: (file: number, temporary: string) => void,
): void {
  const temporary = `${path}/.${name}.${process.pid}.${threadId}.${temporaries++}.tmp`;
  const file = openSync(temporary, 'wx', fileMode);
  try {
    writeFully(file, bytes, 0);
    use(file, temporary);
  } catch (error) {
    quiet(() => unlinkSync(temporary));
    throw error;
  } finally {
    closeSync(file);
  }
}

/** The bytes of a file that is no link and keeps nobody waiting. @throws what the system says. */
export function readWhole(path: string): Buffer {
  const file = openSync(path, constants.O_RDONLY | openPlainly);
  try {
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

export function writeFully(file: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length; )
    written += writeSync(file, bytes, written, bytes.length - written, position + written);
}

/** Gives a file a further name and takes the old one away; where the name is taken, or there are no links, as near as it gets. */
function linkOrRename(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      renameSync(from, to);
      return;
    }
  }
  unlinkSync(from);
}

/** Takes blocks out of a file of several, so that only they are fetched again: if it is whole, it becomes a part. */
export function dropBlocks(
  path: string,
  { name, kind, count }: { readonly name: string; readonly kind: FileKind; readonly count: number },
  indexes: readonly number[],
): void {
  if (kind === 'whole') quiet(() => renameSync(`${path}/${name}`, `${path}/${name}.part`));
  const map = openSync(`${path}/${name}.map`, constants.O_WRONLY | openPlainly);
  try {
    for (const index of indexes) writeFully(map, Buffer.of(0), flagAt(count, index));
  } finally {
    closeSync(map);
  }
  // What threads know of the file ends with its times.
  quiet(() => lutimesSync(`${path}/${name}.part`, new Date(), new Date()));
}

/** Removes a file, and first its map: without it a part says nothing. @throws what the system says. */
export function removeFile(
  path: string,
  { kind, name }: { readonly kind: FileKind; readonly name: string },
): void {
  if (kind !== 'block') quiet(() => unlinkSync(`${path}/${name}.map`));
  unlinkSync(`${path}/${name}${kind === 'part' ? '.part' : ''}`);
}

/** Whether the map of an open part says that a block is there. */
export function isFlagged({ map }: OpenFile, count: number, index: number): boolean {
  const flag = Buffer.alloc(1);
  return readExactly(map!, flag, flagAt(count, index)) && flag[0] === 1;
}
