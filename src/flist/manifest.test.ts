import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { testDirectory } from '../store/test-directory.ts';
import type { Inode } from './inode.ts';
import { type Manifest, readManifest, writeManifest } from './manifest.ts';
import { manifestFile, sampleManifest } from './test-manifest.ts';

const sqlite3 = (path: string, query: string) =>
  execFileSync('sqlite3', ['-batch', path, query], { encoding: 'utf8' }).trimEnd();

describe('a manifest', () => {
  test('comes back as it was written', async () => {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, sampleManifest());
    expect(await readManifest(path)).toEqual(sampleManifest());
  });

  test('of an empty tree comes back too', async () => {
    const path = join(await testDirectory(), 'test.fl');
    const empty: Manifest = {
      inodes: [sampleManifest().inodes[0]!],
      blocks: new Map(),
      tags: new Map(),
      routes: [],
    };
    await writeManifest(path, empty);
    expect(await readManifest(path)).toEqual(empty);
  });

  test('has the same bytes however its tags and its path came about, and other bytes for other values', async () => {
    const directory = await testDirectory();
    const { tags, ...rest } = sampleManifest();
    await writeManifest(join(directory, 'a.fl'), { tags, ...rest });
    await writeManifest(join(directory, 'deep/b.fl'), { ...rest, tags: new Map([...tags].reverse()) });
    await writeManifest(join(directory, 'c.fl'), { ...rest, tags: new Map() });
    const [a, b, c] = await Promise.all(
      ['a.fl', 'deep/b.fl', 'c.fl'].map((name) => readFile(join(directory, name))),
    );
    expect(sha256(a!)).toBe(sha256(b!));
    expect(sha256(a!)).not.toBe(sha256(c!));
  });

  test('replaces the former one, and leaves nothing else behind', async () => {
    const directory = await testDirectory();
    const path = join(directory, 'test.fl');
    await writeManifest(path, { ...sampleManifest(), tags: new Map([['old', 'yes']]) });
    await writeManifest(path, sampleManifest());
    expect(await readdir(directory)).toEqual(['test.fl']);
    expect(await readManifest(path)).toEqual(sampleManifest());
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
    expect(manifest.inodes[3]!.target).toBe('file');
    expect(manifest.blocks.get(3)![0]).toEqual({ id: '69'.repeat(32), key: '6b'.repeat(32) });
  });

  test('takes blocks in the order of their rows', async () => {
    const path = await manifestFile(
      `UPDATE block SET rowid = 10 WHERE rowid = 1; UPDATE block SET rowid = 1 WHERE rowid = 2`,
    );
    expect((await readManifest(path)).blocks.get(3)!.map(({ id }) => id)).toEqual([
      'cc'.repeat(32),
      'aa'.repeat(32),
    ]);
  });

  test('takes children that are numbered before their parent', async () => {
    const path = await manifestFile(
      `UPDATE inode SET ino = 100 WHERE ino = 2; UPDATE inode SET parent = 100 WHERE parent = 2`,
    );
    expect((await readManifest(path)).inodes.at(-1)).toMatchObject({ ino: 100, name: 'dir' });
  });

  test('passes over tables and columns that it does not know', async () => {
    const path = await manifestFile(
      `CREATE TABLE private (x); INSERT INTO private VALUES (1); ALTER TABLE inode ADD COLUMN colour TEXT`,
    );
    expect(await readManifest(path)).toEqual(sampleManifest());
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

describe('a hostile or damaged manifest is refused:', () => {
  const rows: [what: string, sql: string, why: RegExp, kind?: string][] = [
    ['no root', 'DELETE FROM inode WHERE ino = 1', /root/],
    ['no inodes', 'DELETE FROM inode', /root/],
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
});

describe('the writer refuses', () => {
  const root = sampleManifest().inodes[0]!;
  const child = (change: Partial<Inode>): Manifest => ({
    inodes: [root, { ...root, ino: 2, parent: 1, name: 'x', mode: 0o100644, size: 0, ...change }],
    blocks: new Map(),
    tags: new Map(),
    routes: [],
  });

  test.each<[string, Manifest]>([
    ['a name that leaves its directory', child({ name: '..' })],
    ['a name that is not UTF-8', child({ name: 'half \ud800' })],
    ['a target that is not UTF-8', child({ mode: 0o120777, target: '\udc00' })],
    ['a name that is too long', child({ name: 'ü'.repeat(128) })],
    ['an owner beyond 32 bits', child({ uid: 2 ** 32 })],
    ['a time that is no whole number', child({ mtime: 1.5 })],
    ['a file without its blocks', child({ size: 1 })],
    [
      'a child before its parent',
      {
        ...child({ parent: 3 }),
        inodes: [
          root,
          { ...root, ino: 2, parent: 3, name: 'x', mode: 0o100644, size: 0 },
          { ...root, ino: 3, parent: 1, name: 'd' },
        ],
      },
    ],
  ])('%s, and leaves the former file', async (_, manifest) => {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, sampleManifest());
    await expect(writeManifest(path, manifest)).rejects.toMatchObject({ name: 'Failure' });
    expect(await readManifest(path)).toEqual(sampleManifest());
    expect(await readdir(join(path, '..'))).toEqual(['test.fl']);
  });
});
