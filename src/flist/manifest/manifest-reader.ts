import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errnoOf, Failure } from '../../base/errors.ts';
import { kindOfMode } from './inode.ts';
import type { ManifestSettings, Route } from './manifest.ts';
import { ColumnsBuilder } from './manifest-builder.ts';
import type { ManifestColumns } from './manifest-columns.ts';
import { PrivateRows } from './manifest-private.ts';
import { checkRoute, failureOf } from './manifest-rules.ts';
import { type InodeTable, privateTables, tables } from './schema.ts';
import { arrays, integer, RowsByIno, rowsInOrder, text } from './sql-rows.ts';

/** A manifest whose rows are checked each by itself only. */
export interface ManifestParts extends ManifestSettings {
  readonly columns: ManifestColumns;
}

/**
 * The rows of an `.fl` file, each checked by itself. The file is never written to: one that is in WAL mode, which
 * cannot be read without writing, is read from a copy.
 * @throws Failure `not-found`, or `corrupt` for what is not a manifest.
 */
export async function readManifestRows(path: string): Promise<ManifestParts> {
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

function readDatabase(path: string, name: string, readOnly: boolean): ManifestParts {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly, allowExtension: false });
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
    for (const [table, columns] of Object.entries(tables))
      if (!isTable(database, table, columns)) throw new Error(`it has no table "${table}"`);
    return readRows(database);
  } catch (error) {
    const failure = failureOf(error, `${name} is no valid manifest`, hint);
    throw failure instanceof Failure ? failure : notAManifest(name, error);
  } finally {
    database?.close();
  }
}

/**
 * Whether there is such a table. Only real ones with real columns are read: a view or a generated column could compute for ever.
 * @throws Error for something else of that name
 */
function isTable(database: DatabaseSync, table: string, columns: readonly string[]): boolean {
  const found = database.prepare('SELECT type, rootpage FROM sqlite_master WHERE name = ?').all(table);
  if (found.length === 0) return false;
  if (found.length > 1 || found[0]!['type'] !== 'table' || !found[0]!['rootpage'])
    throw new Error(`it has no table "${table}"`);
  const stored = database.prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0').all(table);
  for (const column of columns)
    if (!stored.some(({ name }) => name === column))
      throw new Error(`its table "${table}" has no column "${column}"`);
  return true;
}

function readRows(database: DatabaseSync): ManifestParts {
  const builder = new ColumnsBuilder();
  readInodes(database, builder);
  readBlocks(database, builder);
  readPrefetch(database, builder);
  return {
    columns: builder.build(),
    tags: readTags(database),
    routes: readRoutes(database),
  };
}

function readInodes(database: DatabaseSync, builder: ColumnsBuilder): void {
  const targets = new RowsByIno(database, 'extra', tables.extra);
  const { zos_prefetch: _, ...byInode } = privateTables;
  const present = (Object.keys(byInode) as InodeTable[]).filter((table) =>
    isTable(database, table, privateTables[table]),
  );
  const extras = new PrivateRows(database, present);
  for (const row of rowsInOrder(database, 'inode', tables.inode)) {
    const [ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime] = row;
    const inode = {
      ino,
      parent: integer(parent, 'inode.parent'),
      size: integer(size, 'inode.size'),
      uid: integer(uid, 'inode.uid'),
      gid: integer(gid, 'inode.gid'),
      mode: integer(mode, 'inode.mode'),
      rdev: integer(rdev, 'inode.rdev'),
      ctime: integer(ctime, 'inode.ctime'),
      mtime: integer(mtime, 'inode.mtime'),
    };
    const [, target] = targets.take(ino) ?? [];
    const isLink = kindOfMode(inode.mode) === 'symlink';
    builder.addInode({
      ...inode,
      name: text(name, 'inode.name'),
      ...(isLink && target !== undefined && { target: textOrBytes(target, 'extra.data') }),
      ...extras.take(ino),
    });
  }
  extras.finish();
}

function readBlocks(database: DatabaseSync, builder: ColumnsBuilder): void {
  // hex() takes ids and keys of either type, BLOB or TEXT, as rfs does, and is faster than a BLOB of each.
  for (const [, ino, id, key] of rowsInOrder(database, 'block', ['rowid', 'ino', 'hex(id)', 'hex(key)']))
    builder.addBlock(integer(ino, 'block.ino'), { id: text(id, 'block.id'), key: text(key, 'block.key') });
}

function readPrefetch(database: DatabaseSync, builder: ColumnsBuilder): void {
  if (!isTable(database, 'zos_prefetch', privateTables.zos_prefetch)) return;
  for (const row of rowsInOrder(database, 'zos_prefetch', privateTables.zos_prefetch)) {
    const [, ino, first, last] = row;
    builder.addPrefetch({
      ino: integer(ino, 'zos_prefetch.ino'),
      first: integer(first, 'zos_prefetch.first'),
      last: integer(last, 'zos_prefetch.last'),
    });
  }
}

function readTags(database: DatabaseSync): Map<string, string> {
  return new Map(
    rows(database, 'SELECT key, value FROM tag ORDER BY key').map(([key, value]) => [
      text(key, 'tag.key'),
      text(value, 'tag.value'),
    ]),
  );
}

function readRoutes(database: DatabaseSync): Route[] {
  return rows(database, 'SELECT start, "end", url FROM route ORDER BY rowid').map(([start, end, url]) => {
    const route = {
      start: integer(start, 'route.start'),
      end: integer(end, 'route.end'),
      url: text(url, 'route.url'),
    };
    checkRoute(route);
    return route;
  });
}

function rows(database: DatabaseSync, query: string): unknown[][] {
  return arrays(database, query).all() as unknown as unknown[][];
}

function textOrBytes(value: unknown, column: string): string | Uint8Array {
  return value instanceof Uint8Array ? value : text(value, column);
}

const hint = 'get it again from where it was published';

function notAManifest(path: string, cause: unknown): Failure {
  return new Failure('corrupt', `${path} is no valid manifest`, { cause, hint });
}
