import { DatabaseSync } from 'node:sqlite';
import { compareBytes } from '../base/names.ts';
import type { Manifest } from './manifest.ts';
import { createIndexes, createTables } from './schema.ts';

/** The bytes of an `.fl` file: a SQLite database in rollback-journal mode, the same for equal manifests. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  const database = new DatabaseSync(':memory:');
  try {
    database.exec('PRAGMA page_size = 4096; PRAGMA encoding = "UTF-8"; BEGIN');
    database.exec(createTables);
    insertRows(database, manifest);
    database.exec(createIndexes);
    database.exec('COMMIT');
    return database.serialize();
  } finally {
    database.close();
  }
}

function insertRows(database: DatabaseSync, { inodes, blocks, tags, routes }: Manifest): void {
  const inode = database.prepare('INSERT INTO inode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const extra = database.prepare('INSERT INTO extra VALUES (?, ?)');
  const block = database.prepare('INSERT INTO block VALUES (?, ?, ?)');
  for (const { ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime, target } of inodes) {
    inode.run(ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime);
    if (target !== undefined) extra.run(ino, Buffer.from(target));
    for (const { id, key } of blocks.get(ino) ?? [])
      block.run(ino, Buffer.from(id, 'hex'), Buffer.from(key, 'hex'));
  }
  const tag = database.prepare('INSERT INTO tag VALUES (?, ?)');
  for (const [key, value] of [...tags].sort(([a], [b]) => compareBytes(a, b))) tag.run(key, value);
  const route = database.prepare('INSERT INTO route VALUES (?, ?, ?)');
  for (const { start, end, url } of routes) route.run(start, end, url);
}
