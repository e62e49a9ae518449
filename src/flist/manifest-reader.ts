import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { errnoOf, Failure } from '../base/errors.ts';
import type { BlockRef } from './block-codec.ts';
import type { Inode } from './inode.ts';
import type { Manifest } from './manifest.ts';
import { tables } from './schema.ts';

/**
 * The rows of an `.fl` file, checked for their SQL types only. The file is never written to: one that is in WAL mode, which
 * cannot be read without writing, is read from a copy.
 * @throws Failure `not-found`, or `corrupt` for what is not a manifest.
 */
export async function readManifestRows(path: string): Promise<Manifest> {
  if ((await journalOf(path)) === 'rollback') return readDatabase(path, path, true);
  const directory = await mkdtemp(join(tmpdir(), 'flist-'));
  try {
    const copy = join(directory, 'manifest');
    await copyFile(path, copy);
    await copyFile(`${path}-wal`, `${copy}-wal`).catch((error) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
    return readDatabase(copy, path, false);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The journal mode that the header of a SQLite file asks for (SQLite file format, section 1.3). */
async function journalOf(path: string): Promise<'rollback' | 'wal'> {
  const header = await readHeader(path);
  if (header[0] === 0x1f && header[1] === 0x8b)
    throw new Failure('corrupt', `${path} is a flist of version 1 (tar.gz), which is not supported`, {
      hint: 'pack the files again as an .fl, or read it with an rfs from before October 2023',
    });
  if (header.length < 100 || header.toString('latin1', 0, 16) !== 'SQLite format 3\0')
    throw notAManifest(path, 'it is not a SQLite database');
  return header[18] === 2 || header[19] === 2 ? 'wal' : 'rollback';
}

async function readHeader(path: string): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(100), 0, 100, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new Failure('not-found', `there is no manifest ${path}`);
    throw new Failure(errnoOf(error) === 'EACCES' ? 'denied' : 'failed', `cannot read the manifest ${path}`, {
      cause: error,
    });
  }
}

function readDatabase(path: string, name: string, readOnly: boolean): Manifest {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly, allowExtension: false });
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    checkSchema(database);
    return readRows(database);
  } catch (error) {
    throw notAManifest(name, error);
  } finally {
    database?.close();
  }
}

/** Only real tables with real columns are read: a view or a generated column could compute for ever. */
function checkSchema(database: DatabaseSync): void {
  const ordinary = database.prepare(
    `SELECT count(*) AS found FROM sqlite_master WHERE name = ? AND type = 'table' AND rootpage > 0`,
  );
  for (const [table, columns] of Object.entries(tables)) {
    if (ordinary.get(table)?.['found'] !== 1) throw new Error(`it has no table "${table}"`);
    const stored = database.prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0').all(table);
    for (const column of columns)
      if (!stored.some(({ name }) => name === column))
        throw new Error(`its table "${table}" has no column "${column}"`);
  }
}

function readRows(database: DatabaseSync): Manifest {
  const targets = readTargets(database);
  return {
    inodes: readInodes(database, targets),
    blocks: readBlocks(database),
    tags: readTags(database),
    routes: rows(database, 'SELECT start, "end", url FROM route ORDER BY rowid').map(([start, end, url]) => ({
      start: integer(start, 'route.start'),
      end: integer(end, 'route.end'),
      url: text(url, 'route.url'),
    })),
  };
}

function readInodes(database: DatabaseSync, targets: ReadonlyMap<number, string>): Inode[] {
  const inodes: Inode[] = [];
  const statement = arrays(database, `SELECT ${tables.inode.join(', ')} FROM inode ORDER BY ino`);
  let previous = 0;
  for (const row of statement.iterate() as Iterable<unknown>) {
    const [ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime] = row as unknown[];
    const inode = {
      ino: integer(ino, 'inode.ino'),
      parent: integer(parent, 'inode.parent'),
      name: text(name, 'inode.name'),
      size: integer(size, 'inode.size'),
      uid: integer(uid, 'inode.uid'),
      gid: integer(gid, 'inode.gid'),
      mode: integer(mode, 'inode.mode'),
      rdev: integer(rdev, 'inode.rdev'),
      ctime: integer(ctime, 'inode.ctime'),
      mtime: integer(mtime, 'inode.mtime'),
    };
    previous = ascending(inode.ino, previous, 'inode');
    const target = targets.get(inode.ino);
    inodes.push(target === undefined ? inode : { ...inode, target });
  }
  return inodes;
}

function readTargets(database: DatabaseSync): Map<number, string> {
  const targets = new Map<number, string>();
  let previous = 0;
  for (const row of arrays(database, 'SELECT ino, data FROM extra ORDER BY ino').iterate()) {
    const [ino, data] = row as unknown as unknown[];
    previous = ascending(integer(ino, 'extra.ino'), previous, 'extra');
    targets.set(previous, data instanceof Uint8Array ? utf8(data) : text(data, 'extra.data'));
  }
  return targets;
}

function readBlocks(database: DatabaseSync): Map<number, BlockRef[]> {
  const blocks = new Map<number, BlockRef[]>();
  // hex() takes ids and keys of either type, BLOB or TEXT, as rfs does.
  const query = 'SELECT rowid, ino, lower(hex(id)), lower(hex(key)) FROM block ORDER BY rowid';
  let previous = Number.MIN_SAFE_INTEGER;
  for (const row of arrays(database, query).iterate()) {
    const [rowid, ino, id, key] = row as unknown as unknown[];
    previous = ascending(integer(rowid, 'block.rowid'), previous, 'block');
    const file = integer(ino, 'block.ino');
    const ref = { id: text(id, 'block.id'), key: text(key, 'block.key') };
    const refs = blocks.get(file);
    if (refs === undefined) blocks.set(file, [ref]);
    else refs.push(ref);
  }
  return blocks;
}

function readTags(database: DatabaseSync): Map<string, string> {
  return new Map(
    rows(database, 'SELECT key, value FROM tag ORDER BY key').map(([key, value]) => [
      text(key, 'tag.key'),
      text(value, 'tag.value'),
    ]),
  );
}

function rows(database: DatabaseSync, query: string): unknown[][] {
  return arrays(database, query).all() as unknown as unknown[][];
}

function arrays(database: DatabaseSync, query: string): StatementSync {
  const statement = database.prepare(query);
  statement.setReturnArrays(true);
  return statement;
}

/** In a sound table rows come in the order of their number; in a damaged one pages may repeat without an end. */
function ascending(number: number, previous: number, table: string): number {
  if (number <= previous) throw new Error(`its table "${table}" is damaged`);
  return number;
}

function integer(value: unknown, column: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrongType(value, column, 'an integer');
  return value;
}

function text(value: unknown, column: string): string {
  if (typeof value !== 'string') throw wrongType(value, column, 'text');
  return value;
}

function wrongType(value: unknown, column: string, expected: string): Error {
  return new Error(`a value of ${column} is ${value === null ? 'NULL' : 'of another type'}, not ${expected}`);
}

const utf8 = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

function notAManifest(path: string, cause: unknown): Failure {
  return new Failure('corrupt', `${path} is no valid manifest`, {
    cause,
    hint: 'get it again from where it was published',
  });
}
