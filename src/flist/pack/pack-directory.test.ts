import { createCipheriv } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { decodeName } from '../../base/names.ts';
import { DirStore } from '../../store/dir/dir.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { Store } from '../../store/store.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { dumpTree } from '../../tree/dump.ts';
import { blockSize } from '../block/block-codec.ts';
import { readManifest, writeManifest } from '../manifest/manifest.ts';
import { storeReader, treeOfManifest } from '../manifest/manifest-tree.ts';
import { packSource } from '../pack.ts';
import { directorySource, type PackSource } from '../pack-source.ts';

/** Bytes without any repetition. */
const noise = (seed: number, size: number) =>
  createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));

/** A directory, a store beside it, and how to pack the one into the other. */
async function place() {
  const root = await testDirectory();
  const [source, meta, blocks] = [join(root, 'source'), join(root, 'test.fl'), join(root, 'blocks')];
  await mkdir(source);
  const store = new DirStore(blocks);
  const pack = async (options: Partial<Parameters<typeof packSource>[1]> = {}, from?: PackSource) =>
    packSource(from ?? (await directorySource(source)), { manifest: meta, store, routes: [], ...options });
  const file = (name: string) => join(source, name);
  const contents = async (name: string, from: Store = store) =>
    Buffer.from(
      await treeOfManifest(await readManifest(meta), storeReader(from))
        .file(name)!
        .content.read(),
    );
  return { root, source, meta, blocks, store, pack, file, contents };
}

async function idsOf(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids;
}

/** Waits until nothing can have happened at the same tick of the clock. */
async function settle(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  const newest = Math.max(...[...names, '.'].map((name) => statSync(join(directory, name)).ctimeMs));
  while (Date.now() < newest + 60) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A source in which something happens as soon as a path was found. */
function whenFound(source: PackSource, path: string, happening: () => void): PackSource {
  return {
    ...source,
    *entries() {
      for (const entry of source.entries()) {
        yield entry;
        if (entry[0] === path) happening();
      }
    },
  };
}

describe('a packed directory', () => {
  test('has everything: kinds, names of any bytes, hard links, attributes, nanoseconds', async () => {
    const { source, file, pack, meta, store } = await place();
    await mkdir(file('dir'));
    await writeFile(file('dir/a'), noise(1, 3 * blockSize + 5));
    await link(file('dir/a'), file('b'));
    await symlink('dir/a', file('link'));
    await run('mkfifo', [file('fifo')]);
    await run('mknod', [file('null'), 'c', '1', '3']);
    await run('setfattr', ['-n', 'user.one', '-v', 'value', file('b')]);
    await run('touch', ['-d', '2001-02-03 04:05:06.123456789 UTC', file('b')]);
    const odd = Buffer.from([0x6f, 0xff, 0x64]);
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), odd]), 'odd');
    const summary = await pack();
    expect(summary).toMatchObject({ files: 3, blocks: 5, bytes: 3 * blockSize + 5 + 3, newBlocks: 5 });
    const manifest = await readManifest(meta);
    expect(manifest.find('dir/a')).toMatchObject({ link: manifest.find('b')!.ino, mtimeNs: 123_456_789 });
    expect(manifest.find('b')!.xattrs).toEqual(
      new Map([['user.one', Uint8Array.from(Buffer.from('value'))]]),
    );
    expect(manifest.blocksOf(manifest.find('dir/a')!.ino)).toEqual(
      manifest.blocksOf(manifest.find('b')!.ino),
    );
    const tree = treeOfManifest(manifest, storeReader(store));
    expect(Buffer.from(await tree.file(decodeName(odd))!.content.read()).toString()).toBe('odd');
    expect(Buffer.compare(await tree.file('b')!.content.read(), noise(1, 3 * blockSize + 5))).toBe(0);
  });

  test('gives the same manifest with any number of threads, into any store, as a tree or as a directory', async () => {
    const { file, pack, meta, root } = await place();
    for (let i = 0; i < 40; i++) {
      mkdirSync(file(`${i % 7}`), { recursive: true });
      writeFileSync(file(`${i % 7}/${i}`), noise(i % 13, (i * 77_777) % (4 * blockSize)));
    }
    writeFileSync(file('large'), noise(99, 21 * blockSize + 1));
    await pack();
    const first = await readFile(meta);
    for (const threads of [1, 3]) {
      const other = join(root, `${threads}.fl`);
      await pack({ manifest: other, threads, store: new DirStore(join(root, `${threads}`)) });
      await pack({ manifest: meta, threads, store: new MemoryStore() });
      expect(Buffer.compare(await readFile(other), first)).toBe(0);
      expect(Buffer.compare(await readFile(meta), first)).toBe(0);
    }
  });

  test('leaves nothing in the store but blocks, equal ones once', async () => {
    const { file, pack, blocks, store } = await place();
    for (let i = 0; i < 30; i++) writeFileSync(file(`${i}`), noise(i % 3, 2 * blockSize));
    expect(await pack()).toMatchObject({ blocks: 60, newBlocks: 6 });
    const names = await readdir(blocks, { recursive: true });
    expect(names.filter((name) => !/^[0-9a-f]{2}(\/[0-9a-f]{64})?$/.test(name))).toEqual([]);
    expect((await idsOf(store)).length).toBe(6);
    expect(await pack()).toMatchObject({ blocks: 60, newBlocks: 0, storedBytes: 0 });
  });

  test('is only counted in a dry run', async () => {
    const { file, pack, meta, blocks } = await place();
    writeFileSync(file('a'), noise(1, 9 * blockSize));
    expect(await pack({ dryRun: true })).toMatchObject({ files: 1, blocks: 9, newBlocks: 9 });
    await expect(stat(meta)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(stat(blocks)).rejects.toMatchObject({ code: 'ENOENT' });
    await pack();
    writeFileSync(file('b'), noise(2, blockSize));
    expect(await pack({ dryRun: true })).toMatchObject({ files: 2, blocks: 10, newBlocks: 1 });
  });
});

describe('while a directory is packed', () => {
  test('a file that is written to is read again, and packed as it is then', async () => {
    const { file, pack, contents, source, meta } = await place();
    writeFileSync(file('a'), 'before');
    const changing = whenFound(await directorySource(source), 'a', () =>
      writeFileSync(file('a'), 'afterwards'),
    );
    expect(await pack({}, changing)).toMatchObject({ bytes: 10, blocks: 1 });
    expect((await contents('a')).toString()).toBe('afterwards');
    const { mtimeNs } = statSync(file('a'), { bigint: true });
    const { mtime, mtimeNs: nanoseconds = 0 } = (await readManifest(meta)).find('a')!;
    expect(BigInt(mtime) * 1_000_000_000n + BigInt(nanoseconds)).toBe(mtimeNs);
  });

  test('a file that never rests is named, all others are stored, and the former flist stays', async () => {
    const { file, pack, source, meta, store } = await place();
    writeFileSync(file('other'), noise(1, 3 * blockSize));
    await pack();
    const before = await readFile(meta);
    writeFileSync(file('log'), 'a line\n');
    writeFileSync(file('new'), noise(2, 2 * blockSize));
    const resting = await directorySource(source);
    const again = (path: string) => {
      const entry = resting.again!(path);
      appendFileSync(file('log'), 'a line\n');
      return entry;
    };
    const restless = whenFound({ ...resting, again }, 'log', () => appendFileSync(file('log'), 'a line\n'));
    await expect(pack({}, restless)).rejects.toMatchObject({
      kind: 'failed',
      message: 'log changed while it was packed',
    });
    expect(await readFile(meta)).toEqual(before);
    expect((await idsOf(store)).length).toBe(5);
  });

  test.each([
    ['is removed', (path: string) => rmSync(path), 'it is gone'],
    [
      'becomes a directory',
      (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
      'it is now a directory',
    ],
  ])('a file that %s is named', async (_, change, cause) => {
    const { file, pack, source, meta } = await place();
    writeFileSync(file('a'), 'data');
    const changing = whenFound(await directorySource(source), 'a', () => change(file('a')));
    await expect(pack({}, changing)).rejects.toMatchObject({
      message: 'a changed while it was packed',
      cause,
    });
    await expect(stat(meta)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('several files that cannot be packed are named together', async () => {
    const { file, pack, source } = await place();
    for (const name of ['a', 'b', 'c']) writeFileSync(file(name), 'data');
    const changing = whenFound(await directorySource(source), 'c', () => {
      rmSync(file('a'));
      rmSync(file('c'));
    });
    await expect(pack({}, changing)).rejects.toMatchObject({
      message: '2 files could not be packed',
      cause: 'a changed while it was packed: it is gone; c changed while it was packed: it is gone',
    });
  });

  test('an interruption leaves no flist and no file that is not whole, and the next run goes on', async () => {
    const { file, pack, meta, blocks, store } = await place();
    for (let i = 0; i < 60; i++) writeFileSync(file(`${10 + i}`), noise(i, 2 * blockSize));
    const interrupted = new AbortController();
    const reason = new Error('enough');
    const packing = pack({
      signal: interrupted.signal,
      onProgress: ({ blocks }) => blocks > 20 && interrupted.abort(reason),
    });
    await expect(packing).rejects.toBe(reason);
    await expect(stat(meta)).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await readdir(blocks, { recursive: true })).filter((name) => name.includes('.'))).toEqual([]);
    const stored = (await idsOf(store)).length;
    expect(await pack()).toMatchObject({ blocks: 120, newBlocks: 120 - stored });
  });
});

describe('with the previous flist', () => {
  async function packedBefore() {
    const at = await place();
    await mkdir(at.file('dir'));
    writeFileSync(at.file('dir/a'), noise(1, blockSize + 1));
    writeFileSync(at.file('b'), 'b');
    await link(at.file('b'), at.file('c'));
    writeFileSync(at.file('empty'), '');
    await settle(at.source);
    await at.pack();
    return at;
  }

  test('nothing that is unchanged is read, and the same flist is published again', async () => {
    const { pack, meta, root, store } = await packedBefore();
    const before = await readFile(meta);
    let read = 0;
    const again = join(root, 'again.fl');
    const summary = await pack({
      manifest: again,
      previous: meta,
      onProgress: ({ bytesRead }) => (read += bytesRead),
    });
    expect(summary).toMatchObject({
      files: 4,
      unchangedFiles: 2,
      newBlocks: 0,
      isUnchanged: true,
      blocks: 3,
    });
    expect(read).toBe(0);
    expect(await readFile(again)).toEqual(before);
    expect(await pack({ previous: meta })).toMatchObject({ isUnchanged: true, unchangedFiles: 2 });
    expect(await pack({ previous: meta })).toMatchObject({ isUnchanged: true, unchangedFiles: 2 });
    expect(await dumpTree(treeOfManifest(await readManifest(meta), storeReader(store)))).toContain('"b"');
  });

  test.each<[string, (file: (name: string) => string) => void]>([
    ['a file is written', (file) => writeFileSync(file('b'), 'B')],
    [
      'a file is written and its time set back',
      (file) => {
        const { atimeMs, mtimeMs } = statSync(file('dir/a'));
        writeFileSync(file('dir/a'), noise(2, blockSize + 1));
        utimesSync(file('dir/a'), atimeMs / 1000, mtimeMs / 1000);
      },
    ],
    ['a file comes first', (file) => writeFileSync(file('a'), 'new')],
    ['a directory goes', (file) => rmSync(file('dir'), { recursive: true })],
    ['a directory gets another name', (file) => renameSync(file('dir'), file('other'))],
    ['a mode changes', (file) => run('chmod', ['600', file('dir/a')])],
    [
      'a hard link is cut',
      (file) => {
        rmSync(file('c'));
        writeFileSync(file('c'), 'b');
      },
    ],
    ['an attribute comes', (file) => run('setfattr', ['-n', 'user.x', '-v', 'y', file('dir/a')])],
    [
      'a directory takes the place of a file',
      (file) => {
        rmSync(file('empty'));
        mkdirSync(file('empty'));
      },
    ],
  ])('when %s, the flist is the one that is packed without it', async (_, change) => {
    const { pack, meta, file, root } = await packedBefore();
    await change(file);
    const [fresh, quick] = [join(root, 'fresh.fl'), join(root, 'quick.fl')];
    await pack({ manifest: fresh });
    expect(await pack({ manifest: quick, previous: meta })).toMatchObject({ isUnchanged: false });
    expect(Buffer.compare(await readFile(quick), await readFile(fresh))).toBe(0);
  });

  describe('when other files of the same names, sizes and times take the place of the packed ones', () => {
    const time = new Date(1_600_000_000_000);

    /** A directory whose files are as old, as large and called as those of any other that this makes. */
    function makeTwin(directory: string, content: string): void {
      mkdirSync(join(directory, 'below'), { recursive: true });
      for (const name of ['a', 'below/b']) {
        writeFileSync(join(directory, name), content);
        utimesSync(join(directory, name), time, time);
      }
    }

    async function packBoth({ root, meta, pack }: Awaited<ReturnType<typeof place>>, directory: string) {
      const [fresh, quick] = [join(root, 'fresh.fl'), join(root, 'quick.fl')];
      const source = await directorySource(directory);
      await pack({ manifest: fresh }, source);
      const summary = await pack({ manifest: quick, previous: meta }, source);
      expect(Buffer.compare(await readFile(quick), await readFile(fresh))).toBe(0);
      return summary;
    }

    test('since two directories were swapped', async () => {
      const at = await place();
      const { pack, meta, source, file } = at;
      mkdirSync(file('far/away'), { recursive: true });
      for (const name of ['far/away/x', 'y', 'z']) makeTwin(file(name), name.at(-1)!);
      await settle(source);
      await pack();
      expect(await pack({ previous: meta })).toMatchObject({ unchangedFiles: 6, isUnchanged: true });
      await settle(source);
      renameSync(file('y'), file('far/other'));
      renameSync(file('far/away/x'), file('y'));
      renameSync(file('far/other'), file('far/away/x'));
      expect(await packBoth(at, source)).toMatchObject({
        unchangedFiles: 2,
        isUnchanged: false,
      });
    });

    test.each([
      ['says of which directory it was', ''],
      ['does not say of which directory it was', '-x user.zosbuilder.source'],
    ])('since the directory itself is another one, and the flist %s', async (_, forget) => {
      const at = await place();
      const { pack, meta, source, file } = at;
      for (const name of ['x', 'y']) makeTwin(file(name), name);
      await settle(source);
      const first = await pack({}, await directorySource(file('x')));
      expect(first).toMatchObject({ files: 2 });
      if (forget !== '') await run('setfattr', [...forget.split(' '), meta]);
      const again = await pack({ previous: meta, manifest: `${meta}.2` }, await directorySource(file('x')));
      expect(again).toMatchObject({ unchangedFiles: 2 });
      renameSync(file('x'), file('z'));
      renameSync(file('y'), file('x'));
      expect(await packBoth(at, file('x'))).toMatchObject({ unchangedFiles: 0 });
    });

    test('since the link that leads to it leads to another one', async () => {
      const at = await place();
      const { pack, source, file } = at;
      for (const name of ['x', 'y']) makeTwin(file(name), name);
      symlinkSync('x', file('link'));
      await settle(source);
      await pack({}, await directorySource(`${file('link')}/`));
      rmSync(file('link'));
      symlinkSync('y', file('link'));
      expect(await packBoth(at, `${file('link')}/`)).toMatchObject({ unchangedFiles: 0 });
    });
  });

  test('a file that comes into a directory does not have the others read again', async () => {
    const { pack, meta, file } = await packedBefore();
    writeFileSync(file('dir/new'), 'new');
    expect(await pack({ previous: meta })).toMatchObject({ files: 5, unchangedFiles: 2 });
  });

  test('what is to be fetched ahead stays, for the files and blocks that are still there', async () => {
    const { pack, meta, root, file } = await packedBefore();
    const paths = async (path: string) => {
      const manifest = await readManifest(path);
      return Array.from(manifest.prefetch, ({ ino, first, last }) => [
        manifest.inode(ino)!.name,
        first,
        last,
      ]);
    };
    const before = await readManifest(meta);
    const range = (path: string, first: number, last = first) => ({
      ino: before.find(path)!.ino,
      first,
      last,
    });
    const ahead = join(root, 'ahead.fl');
    await writeManifest(
      ahead,
      before.with({ prefetch: [range('b', 0), range('dir/a', 0, 1), range('c', 0)] }),
    );
    const again = join(root, 'again.fl');
    await pack({ manifest: again, previous: ahead });
    expect(await paths(again)).toEqual([
      ['b', 0, 0],
      ['a', 0, 1],
      ['c', 0, 0],
    ]);
    writeFileSync(file('0'), 'all numbers change');
    writeFileSync(file('dir/a'), 'one block');
    rmSync(file('b'));
    mkdirSync(file('b'));
    await pack({ manifest: again, previous: ahead });
    expect(await paths(again)).toEqual([
      ['a', 0, 0],
      ['c', 0, 0],
    ]);
  });

  test('a file that was young when it was packed is read again', async () => {
    const { pack, meta, file, source } = await place();
    writeFileSync(file('a'), 'old');
    await pack(
      {},
      whenFound(await directorySource(source), '', () => writeFileSync(file('a'), 'young')),
    );
    expect(await pack({ previous: meta })).toMatchObject({ files: 1, unchangedFiles: 0, isUnchanged: true });
  });

  test('of many files, which is read while a thread walks ahead, the flist is the one that is packed without it', async () => {
    const { pack, meta, file, source, root } = await place();
    const name = (i: number) => `${i}${'n'.repeat(200)}`;
    for (let i = 1000; i < 3000; i++) writeFileSync(file(name(i)), `${i % 7}`);
    await settle(source);
    await pack();
    expect((await stat(meta)).size).toBeGreaterThan(1 << 20);
    expect(await pack({ previous: meta })).toMatchObject({ unchangedFiles: 2000, isUnchanged: true });
    writeFileSync(file(name(2222)), 'changed');
    const [fresh, quick] = [join(root, 'fresh.fl'), join(root, 'quick.fl')];
    await pack({ manifest: fresh });
    expect(await pack({ manifest: quick, previous: meta })).toMatchObject({ unchangedFiles: 1999 });
    expect(Buffer.compare(await readFile(quick), await readFile(fresh))).toBe(0);
  });

  test('attributes of files that nobody touched are not read, unless somebody else packed them', async () => {
    const { pack, meta, source, root } = await packedBefore();
    const looked: string[] = [];
    const from = await directorySource(source);
    const looking: PackSource = {
      ...from,
      xattrs: (path) => {
        looked.push(path);
        return from.xattrs!(path);
      },
    };
    expect(await pack({ previous: meta, manifest: join(root, 'own.fl') }, looking)).toMatchObject({
      isUnchanged: true,
    });
    expect(looked).toEqual(['', 'dir']);
    await run('chown', ['1', meta]);
    expect(await pack({ previous: meta }, looking)).toMatchObject({ isUnchanged: true, unchangedFiles: 2 });
    expect(looked.slice(2)).toEqual(['', 'b', 'c', 'dir', 'dir/a', 'empty']);
  });

  test('that was packed without attributes everything is read', async () => {
    const { pack, meta, source, file } = await packedBefore();
    await run('setfattr', ['-n', 'user.x', '-v', 'y', file('b')]);
    await settle(source);
    await pack({}, { ...(await directorySource(source)), xattrs: undefined });
    expect((await readManifest(meta)).find('b')!.xattrs).toBeUndefined();
    expect(await pack({ previous: meta })).toMatchObject({ unchangedFiles: 0 });
    expect((await readManifest(meta)).find('b')!.xattrs?.size).toBe(1);
  });

  test('whose times were not kept everything is read, and that is said', async () => {
    const { pack, meta, root } = await packedBefore();
    const copy = join(root, 'copy.fl');
    await copyFile(meta, copy);
    const notes: string[] = [];
    const summary = await pack({ previous: copy, note: (line) => notes.push(line) });
    expect(summary).toMatchObject({ unchangedFiles: 0, isUnchanged: true });
    expect(notes).toEqual([expect.stringContaining('every file is read')]);
    const { atime, mtime } = await stat(meta);
    await utimes(copy, atime, mtime);
    expect(await pack({ previous: copy })).toMatchObject({ unchangedFiles: 2 });
  });

  test('blocks that the store has lost are stored again, without being told to look', async () => {
    const { pack, meta, blocks, contents } = await packedBefore();
    rmSync(blocks, { recursive: true });
    expect(await pack({ previous: meta })).toMatchObject({ unchangedFiles: 0, newBlocks: 3 });
    expect((await contents('b')).toString()).toBe('b');
  });

  test('every block is looked for when that is asked for', async () => {
    const { pack, meta, file, source, store, contents } = await place();
    for (let i = 0; i < 300; i++) writeFileSync(file(`${i}`), `${i}`);
    await settle(source);
    await pack();
    const manifest = await readManifest(meta);
    await store.delete(manifest.blocksOf(manifest.find('299')!.ino)[0]!.id);
    expect(await pack({ previous: meta, checkPrevious: true })).toMatchObject({
      unchangedFiles: 299,
      newBlocks: 1,
    });
    expect((await contents('299')).toString()).toBe('299');
  });
});
