import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { testDirectory } from '../store/test-directory.ts';
import type { Inode } from './inode.ts';
import { manifestOf, readManifest, writeManifest } from './manifest.ts';
import { ManifestWriter } from './manifest-writer.ts';
import { createPrivateTable, type PrivateTable } from './schema.ts';
import { manifestArbitrary, manifestFile, rowsOf, sampleManifest, sampleRows } from './test-manifest.ts';
import { walkManifest } from './walk.ts';

const sqlite3 = (path: string, query: string) =>
  execFileSync('sqlite3', ['-batch', path, query], { encoding: 'utf8' }).trimEnd();

describe('a manifest', () => {
  test('comes back as it was written', async () => {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, sampleManifest());
    expect(rowsOf(await readManifest(path))).toEqual(sampleRows());
  });

  test('of an empty tree comes back too', async () => {
    const path = join(await testDirectory(), 'test.fl');
    const empty = { inodes: [sampleRows().inodes[0]!], blocks: new Map(), tags: new Map(), routes: [] };
    await writeManifest(path, manifestOf(empty));
    expect(rowsOf(await readManifest(path))).toEqual(empty);
  });

  test('has the same bytes however its tags and its path came about, and other bytes for other values', async () => {
    const directory = await testDirectory();
    const sample = sampleManifest();
    await writeManifest(join(directory, 'a.fl'), sample);
    const reversed = sample.with({ tags: new Map([...sample.tags].reverse()) });
    await writeManifest(join(directory, 'deep/b.fl'), reversed);
    await writeManifest(join(directory, 'c.fl'), sample.with({ tags: new Map() }));
    const [a, b, c] = await Promise.all(
      ['a.fl', 'deep/b.fl', 'c.fl'].map((name) => readFile(join(directory, name))),
    );
    expect(sha256(a!)).toBe(sha256(b!));
    expect(sha256(a!)).not.toBe(sha256(c!));
  });

  test('replaces the former one, and leaves nothing else behind', async () => {
    const directory = await testDirectory();
    const path = join(directory, 'test.fl');
    await writeManifest(path, sampleManifest().with({ tags: new Map([['old', 'yes']]) }));
    await writeManifest(path, sampleManifest());
    expect(await readdir(directory)).toEqual(['test.fl']);
    expect(rowsOf(await readManifest(path))).toEqual(sampleRows());
  });
});

describe('what rfs has no column for', () => {
  const [root, , , , ...rest] = sampleRows().inodes as [Inode, ...Inode[]];
  const numbered = (inodes: readonly Inode[]) => inodes.map((inode, i) => ({ ...inode, ino: i + 1 }));
  const file = rest.at(-1)!;
  const odd = (name: string) => ({ ...file, name: decodeName(Buffer.from(name, 'latin1')) });
  const tables = (path: string) =>
    sqlite3(path, `SELECT name FROM sqlite_master WHERE name GLOB 'zos_*' ORDER BY name`);

  async function written(inodes: readonly Inode[]) {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, manifestOf({ inodes }));
    return { path, inodes: [...(await readManifest(path)).inodes] };
  }

  test('comes back: nanoseconds, hard links, attributes, names and targets of any bytes', async () => {
    const xattrs = new Map([
      ['security.capability', Buffer.from('0100000200200000', 'hex')],
      ['user.ü', Buffer.alloc(0)],
    ]);
    const inodes = numbered([
      root,
      { ...file, name: 'a', mtimeNs: 999_999_999, xattrs },
      { ...file, name: 'b', mtimeNs: 999_999_999, xattrs, link: 2 },
      { ...file, name: 'link', mode: 0o120777, target: decodeName(Buffer.of(0x2f, 0xff)) },
      odd('\xe9t\xe9'),
    ]);
    const { path, inodes: back } = await written(inodes);
    expect(back).toEqual(
      inodes.map((inode) => ({
        ...inode,
        ...(inode.xattrs && { xattrs: new Map([...xattrs].map(([n, v]) => [n, Uint8Array.from(v)])) }),
      })),
    );
    expect(tables(path).split('\n')).toEqual(['zos_link', 'zos_name', 'zos_target', 'zos_time', 'zos_xattr']);
    expect(tables(await manifestFile())).toBe('');
    expect(sqlite3(path, 'PRAGMA integrity_check')).toBe('ok');
  });

  test('does not depend on which name of a file comes first in the manifest', async () => {
    const path = await manifestFile(`
      INSERT INTO inode SELECT 20, 1, 'z', size, uid, gid, mode, rdev, ctime, mtime FROM inode WHERE ino = 9;
      INSERT INTO inode SELECT 21, 1, 'a', size, uid, gid, mode, rdev, ctime, mtime FROM inode WHERE ino = 9;
      ${zos('zos_link', '20, 9), (21, 9')}`);
    await writeManifest(path, await readManifest(path));
    const manifest = await readManifest(path);
    const first = manifest.find('a')!;
    expect(first.link).toBeUndefined();
    expect(['z', 'ünïcode 📦'].map((name) => manifest.find(name)!.link)).toEqual([first.ino, first.ino]);
  });

  test('shows rfs escaped names that are valid and unique in their directory', async () => {
    const long = '\xff'.repeat(255);
    const { path, inodes } = await written(
      numbered([root, { ...file, name: '\\xff' }, odd('z\xe9'), odd('\xff'), odd(long)]),
    );
    expect(inodes.map(({ name }) => encodeName(name).toString('latin1'))).toEqual([
      '/',
      '\\xff',
      'z\xe9',
      '\xff',
      long,
    ]);
    const shown = sqlite3(path, 'SELECT name FROM inode ORDER BY ino').split('\n');
    expect(shown.slice(0, 3)).toEqual(['/', '\\xff', 'z\\xe9']);
    expect(shown[3]).toMatch(/^\\xff~[0-9a-f]{12}$/);
    expect(shown[4]).toMatch(/^(\\xff){60}\\x~[0-9a-f]{12}$/);
  });
});

describe('sqlite3 finds in our file', () => {
  test('a sound database in rollback-journal mode with pages of 4096 bytes', async () => {
    const path = await manifestFile();
    expect(sqlite3(path, 'PRAGMA integrity_check')).toBe('ok');
    expect(sqlite3(path, 'PRAGMA journal_mode')).toBe('delete');
    expect(sqlite3(path, 'PRAGMA page_size')).toBe('4096');
    expect(sqlite3(path, 'PRAGMA encoding')).toBe('UTF-8');
    expect([...(await readFile(path)).subarray(18, 20)]).toEqual([1, 1]);
  });

  test('the tables and indexes of rfs', async () => {
    const names = sqlite3(await manifestFile(), 'SELECT name FROM sqlite_master ORDER BY name');
    expect(names.split('\n')).toEqual([
      'block',
      'block_ino',
      'extra',
      'inode',
      'names',
      'parents',
      'route',
      'sqlite_autoindex_tag_1',
      'sqlite_sequence',
      'tag',
    ]);
  });

  test('the types that rfs decodes', async () => {
    const path = await manifestFile();
    const types = (table: string, columns: string[]) =>
      sqlite3(path, `SELECT DISTINCT ${columns.map((c) => `typeof("${c}")`).join(', ')} FROM ${table}`);
    expect(
      types('inode', ['ino', 'parent', 'name', 'size', 'uid', 'gid', 'mode', 'rdev', 'ctime', 'mtime']),
    ).toBe('integer|integer|text|integer|integer|integer|integer|integer|integer|integer');
    expect(types('extra', ['ino', 'data'])).toBe('integer|blob');
    expect(types('block', ['ino', 'id', 'key'])).toBe('integer|blob|blob');
    expect(types('tag', ['key', 'value'])).toBe('text|text');
    expect(types('route', ['start', 'end', 'url'])).toBe('integer|integer|text');
  });
});

describe('the reader', () => {
  test('takes a file in WAL mode with rows still in the log, and does not touch it', async () => {
    const path = await manifestFile();
    const writer = new DatabaseSync(path);
    writer.exec(`PRAGMA journal_mode = WAL; INSERT INTO tag VALUES ('late', 'row')`);
    const before = sha256(await readFile(path));
    expect((await readManifest(path)).tags.get('late')).toBe('row');
    expect(sha256(await readFile(path))).toBe(before);
    writer.close();
    expect((await readManifest(path)).tags.get('late')).toBe('row');
    expect((await readFile(path))[18]).toBe(2);
  });

  test('takes ids, keys and targets that are TEXT, as rfs does', async () => {
    const path = await manifestFile(
      `UPDATE extra SET data = 'file'; UPDATE block SET id = printf('%.32c', 'i'), key = printf('%.32c', 'k')`,
    );
    const manifest = await readManifest(path);
    expect(manifest.inode(4)!.target).toBe('file');
    expect(manifest.blocksOf(3)[0]).toEqual({ id: '69'.repeat(32), key: '6b'.repeat(32) });
  });

  test('takes blocks in the order of their rows', async () => {
    const path = await manifestFile(
      `UPDATE block SET rowid = 10 WHERE rowid = 1; UPDATE block SET rowid = 1 WHERE rowid = 2`,
    );
    expect((await readManifest(path)).blocksOf(3).map(({ id }) => id)).toEqual([
      'cc'.repeat(32),
      'aa'.repeat(32),
    ]);
  });

  test('takes blocks of several files that are mixed, as rfs writes them', async () => {
    const path = await manifestFile(`
      UPDATE inode SET size = 3 * 524288 WHERE ino IN (3, 9);
      DELETE FROM block;
      INSERT INTO block SELECT value, unhex(printf('%064x', key)), unhex(printf('%064x', 100 + key))
        FROM json_each('[9, 3, 3, 9, 3, 9]')`);
    const manifest = await readManifest(path);
    const ids = (ino: number) => manifest.blocksOf(ino).map(({ id }) => Number.parseInt(id, 16));
    expect([ids(3), ids(9)]).toEqual([
      [1, 2, 4],
      [0, 3, 5],
    ]);
    expect(manifest.blocksOf(9).map(({ key }) => Number.parseInt(key, 16))).toEqual([100, 103, 105]);
    expect([...manifest.blockRefs()].map(([ino]) => ino)).toEqual([3, 3, 3, 9, 9, 9]);
  });

  test('takes children that are numbered before their parent', async () => {
    const path = await manifestFile(
      `UPDATE inode SET ino = 100 WHERE ino = 2; UPDATE inode SET parent = 100 WHERE parent = 2`,
    );
    expect((await readManifest(path)).find('dir')).toMatchObject({ ino: 100, name: 'dir' });
  });

  test('passes over tables and columns that it does not know', async () => {
    const path = await manifestFile(
      `CREATE TABLE private (x); INSERT INTO private VALUES (1); ALTER TABLE inode ADD COLUMN colour TEXT`,
    );
    expect(rowsOf(await readManifest(path))).toEqual(sampleRows());
  });

  test('says not-found for a file that is not there', async () => {
    const path = join(await testDirectory(), 'absent.fl');
    await expect(readManifest(path)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  test('says failed for a directory', async () => {
    const path = join(await testDirectory(), 'directory.fl');
    await mkdir(path);
    await expect(readManifest(path)).rejects.toMatchObject({ kind: 'failed' });
  });

  test('names the old format when it sees it', async () => {
    const path = join(await testDirectory(), 'old.flist');
    await writeFile(path, gzipSync('flistdb.sqlite3'));
    await expect(readManifest(path)).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('version 1'),
    });
  });
});

/** SQL that puts a row into a private table. */
function zos(table: PrivateTable, values: string): string {
  return `${createPrivateTable[table]}; INSERT INTO ${table} VALUES (${values})`;
}

describe('a hostile or damaged manifest is refused:', () => {
  const rows: [what: string, sql: string, why: RegExp, kind?: string][] = [
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
    [
      'attributes without order',
      `CREATE TABLE zos_xattr (ino INTEGER, name TEXT, value BLOB)`,
      /not in order/,
    ],
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
    [
      'a private table that is a view',
      'CREATE VIEW zos_time AS SELECT 5 AS ino, 1 AS mtime_ns',
      /no table "zos_time"/,
    ],
    ['a private table without its column', 'CREATE TABLE zos_time (ino INTEGER PRIMARY KEY)', /mtime_ns/],
    ...['parent', 'name', 'size', 'uid', 'gid', 'mode', 'rdev', 'ctime', 'mtime'].map(
      (column): [string, string, RegExp] => [
        `NULL as ${column}`,
        `UPDATE inode SET ${column} = NULL WHERE ino = 5`,
        /NULL/,
      ],
    ),
  ];

  test.each(rows)('%s', async (_, sql, why, kind = 'corrupt') => {
    const path = await manifestFile(sql);
    const failure = await readManifest(path).catch((error) => error);
    expect(failure).toMatchObject({ name: 'Failure', kind, hint: expect.anything() });
    expect(failure.message).toContain(path);
    expect(`${failure.message} ${failure.cause}`).toMatch(why);
  });

  test('a file cut off anywhere, or with any page overwritten, gives a manifest or a Failure', async () => {
    const path = await manifestFile();
    const whole = await readFile(path);
    const damaged = [0, 1, 99, 100, 4096, 5000, whole.length - 4096].map((end) => whole.subarray(0, end));
    for (let page = 0; page < whole.length; page += 4096)
      for (const byte of [0x00, 0x02, 0x05, 0x0d, 0xff])
        damaged.push(Buffer.from(whole).fill(byte, page, page + 4096));
    for (const bytes of damaged) {
      await writeFile(path, bytes);
      const result = await readManifest(path).catch((error) => error);
      if (result instanceof Error) expect(result).toMatchObject({ name: 'Failure' });
    }
  });

  test('any bytes changed in any manifest give a manifest or a Failure', async () => {
    const path = join(await testDirectory(), 'test.fl');
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(
        manifestArbitrary,
        fc.array(change, { minLength: 1, maxLength: 20 }),
        async (manifest, changes) => {
          await writeManifest(path, manifest);
          const bytes = await readFile(path);
          for (const { at, byte } of changes) bytes[at % bytes.length] = byte;
          await writeFile(path, bytes);
          const result = await readManifest(path).catch((error) => error);
          if (result instanceof Error) expect(result).toMatchObject({ name: 'Failure' });
          else expect([...walkManifest(result)]).toHaveLength(result.inodes.length);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the writer refuses', () => {
  const root = sampleRows().inodes[0]!;
  const file: Inode = { ...root, ino: 2, parent: 1, name: 'x', mode: 0o100644, size: 0 };
  const other = (change: Partial<Inode>): Inode => ({ ...file, ino: 3, name: 'y', ...change });

  test.each<[string, Inode[]]>([
    ['a manifest without a root', []],
    ['a name that leaves its directory', [root, { ...file, name: '..' }]],
    ['a name with half a character', [root, { ...file, name: 'half \ud800' }]],
    ['a target with half a character', [root, { ...file, mode: 0o120777, target: '\udc00' }]],
    ['a name that is too long', [root, { ...file, name: 'ü'.repeat(128) }]],
    ['an owner beyond 32 bits', [root, { ...file, uid: 2 ** 32 }]],
    ['a time that is no whole number', [root, { ...file, mtime: 1.5 }]],
    ['a billion nanoseconds', [root, { ...file, mtimeNs: 1_000_000_000 }]],
    ['a file without its blocks', [root, { ...file, size: 1 }]],
    ['a child before its parent', [root, { ...file, parent: 3 }, other({ mode: 0o040755 })]],
    ['an entry of a file', [root, file, other({ parent: 2 })]],
    [
      'an entry of a directory that was left',
      [root, { ...file, mode: 0o040755 }, other({}), other({ ino: 4, parent: 2 })],
    ],
    ['names that are not in byte order', [root, { ...file, name: 'z' }, other({})]],
    ['two entries of one name', [root, file, other({ name: 'x' })]],
    ['a number that is not the next', [root, other({})]],
    ['a hard link to what comes later', [root, { ...file, link: 3 }, other({})]],
    ['a hard link to a directory', [root, { ...file, mode: 0o040755 }, other({ link: 2 })]],
    ['a hard link to a file of another owner', [root, file, other({ link: 2, uid: 5 })]],
    ['a hard link to a file of another time', [root, file, other({ link: 2, mtimeNs: 5 })]],
    ['a hard link to a hard link', [root, file, other({ link: 2 }), other({ ino: 4, name: 'z', link: 3 })]],
    ['an attribute without a name', [root, { ...file, xattrs: new Map([['', Buffer.of(1)]]) }]],
    [
      'an attribute of 64 KiB and more',
      [root, { ...file, xattrs: new Map([['user.a', Buffer.alloc(65537)]]) }],
    ],
  ])('%s, and leaves the former file', async (_, inodes) => {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, sampleManifest());
    const writing = async () => {
      const writer = await ManifestWriter.create(path);
      try {
        for (const inode of inodes) writer.add(inode);
        await writer.finish();
      } finally {
        await writer.abandon();
      }
    };
    await expect(writing()).rejects.toMatchObject({ name: 'Failure', hint: expect.anything() });
    expect(rowsOf(await readManifest(path))).toEqual(sampleRows());
    expect(await readdir(join(path, '..'))).toEqual(['test.fl']);
  });
});
