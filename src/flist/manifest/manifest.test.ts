import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../base/digest.ts';
import { decodeName, encodeName } from '../../base/names.ts';
import { testDirectory } from '../../store/test-directory.ts';
import type { BlockRef } from '../block/block-codec.ts';
import { walkManifest } from '../walk.ts';
import { hostileManifests, zos } from './hostile-manifests.fixture.ts';
import type { Inode } from './inode.ts';
import { manifestOf, type PrefetchRange, readManifest, writeManifest } from './manifest.ts';
import { ManifestWriter } from './manifest-writer.ts';
import { manifestArbitrary, manifestFile, rowsOf, sampleManifest, sampleRows } from './test-manifest.ts';

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

  test('comes back: blocks to fetch ahead, in their order, of files that get new numbers', async () => {
    const path = await manifestFile(`
      UPDATE inode SET ino = 100 WHERE ino = 3; UPDATE block SET ino = 100;
      ${zos('zos_prefetch', '5, 100, 1, 1), (7, 100, 0, 0')}`);
    const read = await readManifest(path);
    expect([...read.prefetch]).toEqual([
      { ino: 100, first: 1, last: 1 },
      { ino: 100, first: 0, last: 0 },
    ]);
    await writeManifest(path, read);
    expect([...(await readManifest(path)).prefetch]).toEqual([
      { ino: 3, first: 1, last: 1 },
      { ino: 3, first: 0, last: 0 },
    ]);
    expect(sqlite3(path, 'SELECT * FROM zos_prefetch')).toBe('1|3|1|1\n2|3|0|0');
    await writeManifest(path, read.with({ prefetch: [] }));
    expect(tables(path)).toBe('');
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

describe('a hostile or damaged manifest is refused:', () => {
  test.each(hostileManifests)('%s', async (_, sql, why, kind = 'corrupt') => {
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
    await expectRefused(inodes);
  });

  const blocks = [{ id: 'aa'.repeat(32), key: 'bb'.repeat(32) }];
  test.each<[string, PrefetchRange[], RegExp]>([
    ['blocks to fetch ahead of no inode', [{ ino: 9, first: 0, last: 0 }], /inode 9/],
    ['blocks to fetch ahead of a directory', [{ ino: 1, first: 0, last: 0 }], /inode 1/],
    ['more blocks to fetch ahead than there are', [{ ino: 2, first: 0, last: 1 }], /inode 2/],
    [
      'a block to fetch ahead twice',
      [
        { ino: 2, first: 0, last: 0 },
        { ino: 2, first: 0, last: 0 },
      ],
      /twice/,
    ],
    ['a half of a block to fetch ahead', [{ ino: 2, first: 0.5, last: 0.5 }], /no range/],
  ])('%s, and leaves the former file', async (_, prefetch, why) => {
    await expectRefused([root, { ...file, size: 1 }], (ino) => (ino === 2 ? blocks : []), prefetch, why);
  });

  async function expectRefused(
    inodes: readonly Inode[],
    refsOf: (ino: number) => readonly BlockRef[] = () => [],
    prefetch: readonly PrefetchRange[] = [],
    why = /./,
  ) {
    const path = join(await testDirectory(), 'test.fl');
    await writeManifest(path, sampleManifest());
    const writing = async () => {
      const writer = await ManifestWriter.create(path);
      try {
        for (const inode of inodes) writer.add(inode, refsOf(inode.ino));
        await writer.finish({ prefetch });
      } finally {
        await writer.abandon();
      }
    };
    await expect(writing()).rejects.toMatchObject({
      name: 'Failure',
      message: expect.stringMatching(why),
      hint: expect.anything(),
    });
    expect(rowsOf(await readManifest(path))).toEqual(sampleRows());
    expect(await readdir(join(path, '..'))).toEqual(['test.fl']);
  }
});
