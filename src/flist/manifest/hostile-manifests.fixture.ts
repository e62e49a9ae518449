import type { FailureKind } from '../../base/errors.ts';
import { createPrivateTable, type PrivateTable } from './schema.ts';

/** What is wrong, how it comes into `manifestFile`, what the failure says of it, and its kind: `corrupt` when left out. */
export type HostileManifest = [what: string, sql: string, why: RegExp, kind?: FailureKind];

/** SQL that puts a row into a private table. */
export function zos(table: PrivateTable, values: string): string {
  return `${createPrivateTable[table]}; INSERT INTO ${table} VALUES (${values})`;
}

/** Manifests that no reader may take: damaged ones, and those of somebody who means harm. */
export const hostileManifests: HostileManifest[] = [
  ['no root', 'DELETE FROM inode WHERE ino = 1', /root/],
  ['no inodes', 'DELETE FROM inode; DELETE FROM block', /root/],
  ['a root of another name', `UPDATE inode SET name = 'x' WHERE ino = 1`, /root/],
  ['a root with a parent', 'UPDATE inode SET parent = 2 WHERE ino = 1', /root/],
  ['a root that is a file', 'UPDATE inode SET mode = 33188 WHERE ino = 1', /root/],
  ['two roots', `UPDATE inode SET parent = 0, name = '/' WHERE ino = 2`, /root/],
  ['an inode 0', 'UPDATE inode SET ino = 0 WHERE ino = 9', /damaged|inode number/],
  ['a name with a slash', `UPDATE inode SET name = '../etc' WHERE ino = 5`, /name/, 'hostile'],
  ['the name ..', `UPDATE inode SET name = '..' WHERE ino = 5`, /name/, 'hostile'],
  ['the name .', `UPDATE inode SET name = '.' WHERE ino = 5`, /name/, 'hostile'],
  ['an empty name', `UPDATE inode SET name = '' WHERE ino = 5`, /name/, 'hostile'],
  ['a NUL in a name', `UPDATE inode SET name = 'a' || char(0) || 'b' WHERE ino = 5`, /name/, 'hostile'],
  ['a name of 256 bytes', `UPDATE inode SET name = printf('%.256c', 'n') WHERE ino = 5`, /255/],
  ['a name that is a BLOB', `UPDATE inode SET name = CAST('x' AS BLOB) WHERE ino = 5`, /inode\.name/],
  ['two entries of one name', `UPDATE inode SET name = 'null' WHERE ino = 7`, /two entries/],
  ['a parent that is not there', 'UPDATE inode SET parent = 77 WHERE ino = 5', /parent 77/],
  ['a directory whose parent is not there', 'UPDATE inode SET parent = 77 WHERE ino = 2', /parent 77/],
  ['a parent that is a file', 'UPDATE inode SET parent = 5 WHERE ino = 6', /parent 5/],
  ['a directory in itself', 'UPDATE inode SET parent = 2 WHERE ino = 2', /inside itself/],
  [
    'directories in a ring',
    `INSERT INTO inode VALUES (10, 2, 'ring', 0, 0, 0, 16877, 0, 0, 0); UPDATE inode SET parent = 10 WHERE ino = 2`,
    /inside itself/,
  ],
  [
    'a path without an end',
    `WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
     INSERT INTO inode SELECT i, CASE i WHEN 100 THEN 1 ELSE i - 1 END, printf('%.200c', 'd'), 0, 0, 0, 16877, 0, 0, 0 FROM n`,
    /4095/,
  ],
  ['an unknown type', 'UPDATE inode SET mode = 420 WHERE ino = 5', /unknown type/],
  ['a mode beyond 32 bits', 'UPDATE inode SET mode = 4294967296 + 33188 WHERE ino = 5', /unknown type/],
  ['a negative size', 'UPDATE inode SET size = -1 WHERE ino = 5', /size/],
  ['a size beyond any number', 'UPDATE inode SET size = 9223372036854775807 WHERE ino = 5', /large/],
  ['a negative owner', 'UPDATE inode SET uid = -1 WHERE ino = 5', /owner/],
  ['too few blocks for the size', 'DELETE FROM block WHERE rowid = 2', /blocks/],
  ['too many blocks for the size', 'UPDATE inode SET size = 1 WHERE ino = 3', /blocks/],
  ['blocks of an empty file', 'UPDATE block SET ino = 5 WHERE rowid = 2', /blocks/],
  ['blocks of a directory', 'UPDATE block SET ino = 2', /blocks/],
  ['blocks of no inode', `INSERT INTO block SELECT 99, id, key FROM block`, /not there/],
  ['a block id of 31 bytes', `UPDATE block SET id = zeroblob(31) WHERE rowid = 1`, /32 bytes/],
  ['a block key of 33 bytes', `UPDATE block SET key = zeroblob(33) WHERE rowid = 1`, /32 bytes/],
  ['a block key that is NULL', `UPDATE block SET key = NULL WHERE rowid = 1`, /32 bytes/],
  ['a link without a target', 'DELETE FROM extra', /target/],
  ['an empty target', `UPDATE extra SET data = ''`, /target/],
  ['a target with a NUL', `UPDATE extra SET data = x'6100'`, /target/],
  ['a target that is NULL', `UPDATE extra SET data = NULL`, /extra\.data/],
  ['a route beyond a byte', 'UPDATE route SET "end" = 256', /one byte/],
  ['a route without a URL', 'UPDATE route SET url = NULL', /route\.url/],
  ['a tag without a value', 'UPDATE tag SET value = NULL', /tag\.value/],
  ['a missing table', 'DROP TABLE extra', /no table "extra"/],
  ['a missing column', 'ALTER TABLE inode DROP COLUMN rdev', /no column "rdev"/],
  [
    'a view that computes for ever in place of a table',
    `DROP TABLE tag; CREATE VIEW tag AS WITH RECURSIVE n(key, value) AS
       (SELECT 'a', 'b' UNION ALL SELECT key, value FROM n) SELECT * FROM n`,
    /no table "tag"/,
  ],
  [
    'a column that is computed',
    `DROP TABLE tag; CREATE TABLE tag (key TEXT, value TEXT AS (hex(zeroblob(100000000))))`,
    /no column "value"/,
  ],
  ['no public name', `UPDATE inode SET name = NULL WHERE ino = 5`, /inode\.name/],
  ['nanoseconds of no inode', zos('zos_time', '99, 1'), /inode 99, which is not there/],
  ['a billion nanoseconds', zos('zos_time', '5, 1000000000'), /times/],
  ['nanoseconds that are text', zos('zos_time', `5, 'x'`), /zos_time\.mtime_ns/],
  ['a link to a later inode', zos('zos_link', '3, 9'), /hard link to 9/],
  ['a link to no inode', zos('zos_link', '9, 77'), /hard link to 77/],
  ['a link to itself', zos('zos_link', '9, 9'), /hard link to 9/],
  ['a link to another file', zos('zos_link', '9, 3'), /not the same file/],
  ['a link of no inode', zos('zos_link', '99, 3'), /inode 99/],
  ['a link to a directory', zos('zos_link', '9, 2'), /not the same file/],
  ['an attribute of no inode', zos('zos_xattr', `99, 'user.a', x'00'`), /inode 99/],
  ['an attribute without a name', zos('zos_xattr', `5, '', x'00'`), /extended attribute/],
  ['an attribute that is text', zos('zos_xattr', `5, 'user.a', 'x'`), /zos_xattr\.value/],
  ['an attribute that is too large', zos('zos_xattr', `5, 'user.a', zeroblob(65537)`), /65536/],
  ['attributes without order', `CREATE TABLE zos_xattr (ino INTEGER, name TEXT, value BLOB)`, /not in order/],
  [
    'an attribute twice',
    `CREATE TABLE zos_xattr (ino INTEGER, name TEXT, value BLOB); CREATE INDEX x ON zos_xattr (ino, name);
     INSERT INTO zos_xattr VALUES (5, 'a', x'00'), (5, 'a', x'01')`,
    /twice|not in order/,
  ],
  ['a true name of no inode', zos('zos_name', `99, x'ff'`), /inode 99/],
  ['a true name that is UTF-8', zos('zos_name', `5, CAST('x' AS BLOB)`), /UTF-8/],
  ['a true name that leaves its directory', zos('zos_name', `5, x'2fff'`), /name/, 'hostile'],
  [
    'a true name that is NULL',
    `CREATE TABLE zos_name (ino INTEGER PRIMARY KEY, name); INSERT INTO zos_name VALUES (5, NULL)`,
    /NULL/,
  ],
  ['a true name that a sibling has', zos('zos_name', `5, x'ff'), (6, x'ff'`), /two entries/],
  ['a true name of the root', zos('zos_name', `1, x'ff'`), /root/],
  ['a true target that is UTF-8', zos('zos_target', `4, x'41'`), /UTF-8/],
  ['a true target with a NUL', zos('zos_target', `4, x'ff00'`), /target/],
  ['blocks to fetch ahead of no inode', zos('zos_prefetch', '1, 99, 0, 0'), /inode 99/],
  ['blocks to fetch ahead of a directory', zos('zos_prefetch', '1, 2, 0, 0'), /inode 2 has not/],
  ['blocks to fetch ahead of an empty file', zos('zos_prefetch', '1, 9, 0, 0'), /inode 9 has not/],
  ['more blocks to fetch ahead than there are', zos('zos_prefetch', '1, 3, 0, 2'), /inode 3 has not/],
  ['blocks to fetch ahead beyond all numbers', zos('zos_prefetch', '1, 3, 0, 4294967296'), /no range/],
  ['blocks to fetch ahead from behind', zos('zos_prefetch', '1, 3, 1, 0'), /no range/],
  ['blocks to fetch ahead from before the first', zos('zos_prefetch', '1, 3, -1, 0'), /no range/],
  ['a block to fetch ahead twice', zos('zos_prefetch', '1, 3, 0, 1), (2, 3, 1, 1'), /twice/],
  ['a block to fetch ahead that is text', zos('zos_prefetch', `1, 3, 'x', 1`), /zos_prefetch\.first/],
  [
    'blocks to fetch ahead without order',
    `CREATE TABLE zos_prefetch (place, ino, first, last); INSERT INTO zos_prefetch VALUES (1, 3, 0, 0)`,
    /not in order/,
  ],
  [
    'blocks to fetch ahead by a view',
    'CREATE VIEW zos_prefetch AS SELECT 1 AS place, 3 AS ino, 0 AS first, 0 AS last',
    /no table "zos_prefetch"/,
  ],
  [
    'a private table that is a view',
    'CREATE VIEW zos_time AS SELECT 5 AS ino, 1 AS mtime_ns',
    /no table "zos_time"/,
  ],
  ['a private table without its column', 'CREATE TABLE zos_time (ino INTEGER PRIMARY KEY)', /mtime_ns/],
  ...['parent', 'name', 'size', 'uid', 'gid', 'mode', 'rdev', 'ctime', 'mtime'].map(
    (column): HostileManifest => [
      `NULL as ${column}`,
      `UPDATE inode SET ${column} = NULL WHERE ino = 5`,
      /NULL/,
    ],
  ),
];
