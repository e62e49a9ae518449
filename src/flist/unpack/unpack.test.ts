import { execFileSync } from 'node:child_process';
import { renameSync, symlinkSync } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirStore } from '../../store/dir/dir.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { dumpTree } from '../../tree/dump.ts';
import { treeFromDirectory } from '../../tree/from-directory.ts';
import { blockSize } from '../block/block-codec.ts';
import { type Inode, type Manifest, manifestOf, readManifest } from '../manifest/manifest.ts';
import { storeReader, treeOfManifest } from '../manifest/manifest-tree.ts';
import { rowsOf } from '../manifest/test-manifest.ts';
import { packTree } from '../pack.ts';
import { type PlainCache, RemoteBlocks } from './remote-blocks.ts';
import { type UnpackOptions, unpackManifest } from './unpack.ts';

const isRoot = process.geteuid!() === 0;

async function packedDirectory() {
  const directory = await testDirectory();
  const source = join(directory, 'source');
  await mkdir(join(source, 'deep/er'), { recursive: true });
  await writeFile(join(source, 'deep/large'), Buffer.alloc(blockSize + 5, 'large '));
  await writeFile(join(source, 'deep/er/empty'), '');
  await writeFile(join(source, 'pieces'), Buffer.alloc(33 * blockSize + 1, 'a file of three pieces '));
  await writeFile(join(source, 'suid'), 'x');
  await chmod(join(source, 'suid'), 0o4711);
  await symlink('/etc/passwd', join(source, 'absolute'));
  await symlink('../../outside', join(source, 'deep/up'));
  await chmod(join(source, 'deep'), 0o500);
  const paths = [
    'absolute',
    'deep/er/empty',
    'deep/er',
    'deep/large',
    'deep/up',
    'deep',
    'pieces',
    'suid',
    '',
  ];
  for (const path of paths) await lutimes(join(source, path), 1e9, 1e9 + path.length);
  const file = join(directory, 'test.fl');
  const root = join(directory, 'store');
  const store = new DirStore(root);
  await packTree(await treeFromDirectory(source), { manifest: file, store, routes: [] });
  const blocks = [{ start: 0, end: 255, root }];
  return {
    directory,
    source,
    store,
    blocks,
    manifest: await readManifest(file),
    target: join(directory, 'out'),
  };
}

type Packed = Awaited<ReturnType<typeof packedDirectory>>;

const unpack = (packed: Packed, options: Partial<UnpackOptions> = {}) =>
  unpackManifest(packed.manifest, {
    directory: packed.target,
    blocks: packed.blocks,
    threads: 0,
    ...options,
  });

async function expectSame(target: string, source: string): Promise<void> {
  expect(await dumpTree(await treeFromDirectory(target))).toBe(
    await dumpTree(await treeFromDirectory(source)),
  );
  for (const path of [target, source]) await chmod(join(path, 'deep'), 0o700);
  execFileSync('diff', ['-r', '--no-dereference', source, target]);
}

function changed(manifest: Manifest, change: (inode: Inode) => Partial<Inode>): Manifest {
  const rows = rowsOf(manifest);
  return manifestOf({ ...rows, inodes: [...rows.inodes].map((inode) => ({ ...inode, ...change(inode) })) });
}

const inodeOf = (manifest: Manifest, path: string) => manifest.find(path)!.ino;

describe('unpacking', () => {
  test.each([
    ['the blocks of a directory in one thread', 0, 'directory'],
    ['the blocks of a directory in three threads', 3, 'directory'],
    ['the blocks of a store in one thread', 0, 'store'],
    ['the blocks of a store in three threads', 3, 'store'],
  ] as const)('gives back modes, times, links and bytes from %s', async (_, threads, from) => {
    const packed = await packedDirectory();
    const blocks = from === 'directory' ? packed.blocks : new RemoteBlocks(packed.store);
    const seen: number[] = [];
    const onProgress: UnpackOptions['onProgress'] = ({ blocks }) => seen.push(blocks);
    const summary = await unpack(packed, { blocks, threads, onProgress });
    expect(summary).toEqual({ files: 4, bytes: 34 * blockSize + 7, kept: 0, lost: {} });
    expect(seen.at(-1)).toBe(37);
    await expectSame(packed.target, packed.source);
  });

  test.each([
    0, 2,
  ])('keeps what it fetches in a cache, and fetches nothing that is there (%d threads)', async (threads) => {
    const packed = await packedDirectory();
    const kept = new Map<string, Uint8Array>();
    const cache: PlainCache = {
      peek: ({ key }) => kept.get(key),
      keep: async ({ key }, plain) => void kept.set(key, plain),
    };
    for (const target of ['first', 'second']) {
      const directory = join(packed.directory, target);
      await unpack(packed, { directory, blocks: new RemoteBlocks(packed.store, cache), threads });
      await expectSame(directory, packed.source);
      await chmod(join(packed.source, 'deep'), 0o500);
      await rm(join(packed.directory, 'store'), { recursive: true, force: true });
    }
  });

  test('makes one file of the names of a hard link, and keeps attributes, nanoseconds and odd names', async () => {
    const packed = await packedDirectory();
    const first = packed.manifest.find('deep/large')!;
    const rows = rowsOf(packed.manifest);
    const more = {
      mtimeNs: 123_456_789,
      xattrs: new Map([['user.name', Buffer.of(0, 255)]]),
      mode: 0o100400,
    };
    const inodes = [...rows.inodes].map((inode) => (inode.ino === first.ino ? { ...first, ...more } : inode));
    const refs = packed.manifest.blocksOf(first.ino);
    inodes.push({ ...first, ...more, ino: 90, parent: 1, name: 'again \udcff', link: first.ino });
    packed.manifest = manifestOf({ inodes, blocks: new Map([...rows.blocks!, [90, refs]]) });
    expect(await unpack(packed)).toMatchObject({ files: 5, lost: {} });
    const name = Buffer.concat([Buffer.from(join(packed.target, 'again ')), Buffer.of(0xff)]);
    const [one, other] = [
      await lstat(join(packed.target, 'deep/large'), { bigint: true }),
      await lstat(name, { bigint: true }),
    ];
    expect([one.ino, one.nlink, one.mtimeNs]).toEqual([other.ino, 2n, 1_000_000_010_123_456_789n]);
    const args = ['-n', 'user.name', '--only-values', 'deep/large'];
    expect(execFileSync('getfattr', args, { cwd: packed.target })).toEqual(Buffer.of(0, 255));
  });

  test('makes holes of zeros, whether they fill a block or a part of one', async () => {
    const packed = await packedDirectory();
    const bytes = Buffer.alloc(3 * blockSize + 200_000);
    bytes.fill('data', 100_000, 100_010);
    const source = join(packed.directory, 'holes');
    await mkdir(source);
    await writeFile(join(source, 'some'), bytes);
    await writeFile(join(source, 'all'), Buffer.alloc(20 * blockSize));
    const manifest = join(packed.directory, 'holes.fl');
    await packTree(await treeFromDirectory(source), { manifest, store: packed.store, routes: [] });
    await unpackManifest(await readManifest(manifest), { directory: packed.target, blocks: packed.blocks });
    expect((await readFile(join(packed.target, 'some'))).equals(bytes)).toBe(true);
    expect((await stat(join(packed.target, 'some'))).blocks * 512).toBeLessThanOrEqual(8192);
    expect(await stat(join(packed.target, 'all'))).toMatchObject({ size: 20 * blockSize, blocks: 0 });
  });

  test('makes special files, and counts what this user or file system cannot have', async () => {
    const packed = await packedDirectory();
    const metadata = { size: 0, uid: 0, gid: 0, ctime: 0, mtime: 0, parent: 1, rdev: 0x103 };
    const special: Inode[] = [
      { ...metadata, ino: 91, name: 'fifo', mode: 0o010640 },
      { ...metadata, ino: 92, name: 'null', mode: 0o020666 },
      { ...metadata, ino: 93, name: 'socket', mode: 0o140666 },
      {
        ...metadata,
        ino: 94,
        name: 'link',
        mode: 0o120777,
        target: 'x',
        xattrs: new Map([['user.no', Buffer.of(1)]]),
      },
    ];
    const rows = rowsOf(packed.manifest);
    packed.manifest = manifestOf({ ...rows, inodes: [...rows.inodes, ...special] });
    const losses: string[] = [];
    const { lost } = await unpack(packed, { onLoss: (path, loss) => losses.push(`${path} ${loss}`) });
    expect(lost).toEqual(isRoot ? { xattr: 1 } : { xattr: 1, character: 1 });
    expect(losses).toEqual(isRoot ? ['link xattr'] : ['link xattr', 'null character']);
    expect((await lstat(join(packed.target, 'fifo'))).isFIFO()).toBe(true);
    expect((await lstat(join(packed.target, 'socket'))).isSocket()).toBe(true);
    if (isRoot) expect((await lstat(join(packed.target, 'null'))).rdev).toBe(0x103);
  });

  test('keeps owners when asked to, which takes root; a setuid bit goes with its owner', async () => {
    const packed = await packedDirectory();
    packed.manifest = changed(packed.manifest, () => ({ uid: 1234, gid: 4321 }));
    const [kept, own] = [join(packed.directory, 'kept'), join(packed.directory, 'own')];
    const keeping = unpack(packed, { directory: kept, preserveOwnership: true });
    if (isRoot) {
      await keeping;
      expect(await lstat(join(kept, 'suid'))).toMatchObject({ uid: 1234, gid: 4321, mode: 0o104711 });
    } else await expect(keeping).rejects.toMatchObject({ kind: 'denied' });
    expect(await unpack(packed, { directory: own })).toMatchObject({ lost: { setid: 1 } });
    expect(await lstat(join(own, 'suid'))).toMatchObject({ uid: process.geteuid!(), mode: 0o100711 });
  });
});

describe('when a block fails', () => {
  test.each([
    ['missing', 0],
    ['damaged', 0],
    ['missing', 2],
    ['damaged', 2],
  ])('that is %s, its file is named, and a second run goes on (%d threads)', async (what, threads) => {
    const packed = await packedDirectory();
    const { id } = packed.manifest.blocksOf(inodeOf(packed.manifest, 'deep/large'))[1]!;
    const blob = await packed.store.get(id);
    for (const blocks of [packed.blocks, new RemoteBlocks(packed.store)]) {
      if (what === 'missing') await packed.store.delete(id);
      else await packed.store.put(id, Buffer.from('not the block'));
      const directory = join(packed.directory, blocks === packed.blocks ? 'a' : 'b');
      await expect(unpack(packed, { blocks, threads, directory })).rejects.toMatchObject({
        kind: what === 'missing' ? 'not-found' : 'corrupt',
        message: 'cannot read deep/large',
      });
      await packed.store.put(id, blob);
      await unpack(packed, { blocks, threads, directory });
      await expectSame(directory, packed.source);
      await chmod(join(packed.source, 'deep'), 0o500);
    }
  });

  test('before any file is complete, nothing is left', async () => {
    const packed = await packedDirectory();
    await rm(join(packed.directory, 'store'), { recursive: true });
    await expect(unpack(packed)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await readdir(packed.target)).toEqual([]);
  });
});

/** A target in which unpacking was interrupted when all but one file was complete. */
async function interrupted() {
  const packed = await packedDirectory();
  const { id } = packed.manifest.blocksOf(inodeOf(packed.manifest, 'suid'))[0]!;
  const blob = await packed.store.get(id);
  await packed.store.delete(id);
  await expect(unpack(packed, { blocks: new RemoteBlocks(packed.store) })).rejects.toThrow();
  await packed.store.put(id, blob);
  const [mark, ...others] = (await readdir(packed.target)).filter((name) => name.startsWith('.unpacking-'));
  expect(others).toEqual([]);
  return { ...packed, mark: mark!, at: (path: string) => join(packed.target, path) };
}

describe('an interrupted unpacking', () => {
  test('goes on: complete files are kept, the rest is written, the mark goes', async () => {
    const packed = await interrupted();
    const before = await stat(packed.at('pieces'));
    expect((await readdir(packed.target)).sort()).toEqual([packed.mark, 'absolute', 'deep', 'pieces']);
    expect(await unpack(packed)).toMatchObject({ files: 4, kept: 3 });
    expect((await stat(packed.at('pieces'))).ino).toBe(before.ino);
    await expectSame(packed.target, packed.source);
  });

  test('goes on too where it was killed in the middle of a file, or at its end', async () => {
    const packed = await interrupted();
    const row = inodeOf(packed.manifest, 'suid') - 1;
    const prefix = packed.mark.slice(0, packed.mark.lastIndexOf('-') + 1);
    await writeFile(packed.at(`${prefix}${row}`), 'half');
    await chmod(packed.at('deep/er'), 0);
    await chmod(packed.at('deep'), 0);
    await unlink(packed.at('absolute'));
    await symlink('/else', packed.at('absolute'));
    expect(await unpack(packed)).toMatchObject({ kept: 3 });
    await expectSame(packed.target, packed.source);
  });

  test('writes a file again that has another size or time, and with --verify one that has other bytes', async () => {
    const packed = await interrupted();
    const { mtime } = await stat(packed.at('deep/large'));
    await utimes(packed.at('deep/er/empty'), 5, 5);
    await writeFile(packed.at('deep/large'), Buffer.alloc(blockSize + 5, 'other '));
    await utimes(packed.at('deep/large'), mtime, mtime);
    expect(await unpack(packed, { verify: true })).toMatchObject({ kept: 2 });
    await expectSame(packed.target, packed.source);
  });

  test('that is complete is found to be so; where a name, size or time differs it is a directory of somebody else', async () => {
    const packed = await packedDirectory();
    await unpack(packed);
    await utimes(packed.target, 5, 5);
    const { ino } = await stat(join(packed.target, 'pieces'));
    expect(await unpack(packed)).toMatchObject({ files: 4, kept: 4 });
    expect((await stat(join(packed.target, 'pieces'))).ino).toBe(ino);
    await expectSame(packed.target, packed.source);
    for (const change of ['touch pieces', 'ln -sfn else absolute', 'touch deep/more', 'rm -r deep/er']) {
      const target = join(packed.directory, change.replaceAll('/', ' '));
      await unpack(packed, { directory: target });
      execFileSync('sh', ['-c', `chmod u+w deep && ${change}`], { cwd: target });
      const message = `${target} is not empty`;
      await expect(unpack(packed, { directory: target })).rejects.toMatchObject({
        kind: 'conflict',
        message,
      });
    }
  });

  test('is not taken up by another flist, or with other owners', async () => {
    const packed = await interrupted();
    packed.manifest = changed(packed.manifest, ({ mode }) => ({ mode: mode ^ 1 }));
    const before = await readdir(packed.target);
    await expect(unpack(packed)).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringContaining('unfinished unpacking of another flist'),
    });
    expect(await readdir(packed.target)).toEqual(before);
  });

  test('can be of files whose names are shorter than those under way, and begin like them', async () => {
    const packed = await packedDirectory();
    const names = new Map([
      ['suid', '.a'],
      ['pieces', '.unpacking'],
    ]);
    const manifest = changed(packed.manifest, ({ name }) => ({ name: names.get(name) ?? name }));
    await unpack({ ...packed, manifest });
    expect((await readdir(packed.target)).sort()).toEqual(['.a', '.unpacking', 'absolute', 'deep']);
  });

  test('can be of files that are called like those under way', async () => {
    const packed = await packedDirectory();
    const odd = '.unpacking-0-1';
    packed.manifest = changed(packed.manifest, ({ name }) => (name === 'suid' ? { name: odd } : {}));
    const { id } = packed.manifest.blocksOf(inodeOf(packed.manifest, 'pieces'))[0]!;
    const blob = await packed.store.get(id);
    await packed.store.delete(id);
    await expect(unpack(packed)).rejects.toThrow('cannot read pieces');
    await packed.store.put(id, blob);
    await unpack(packed);
    expect(await readFile(join(packed.target, odd), 'utf8')).toBe('x');
  });
});

describe('nothing outside the target is touched', () => {
  test('when it is a symbolic link, or holds files of somebody else', async () => {
    const { source, directory, ...packed } = await packedDirectory();
    await writeFile(join(source, 'more'), 'mine');
    const before = await dumpTree(await treeFromDirectory(source));
    await symlink(source, packed.target);
    for (const target of [packed.target, source])
      await expect(unpack({ source, directory, ...packed, target })).rejects.toMatchObject({
        kind: 'conflict',
      });
    expect(await dumpTree(await treeFromDirectory(source))).toBe(before);
  });

  test.each([
    0, 2,
  ])('when links lie in the place of directories, files and unfinished files (%d threads)', async (threads) => {
    const packed = await interrupted();
    const outside = join(packed.directory, 'outside');
    await mkdir(join(outside, 'er'), { recursive: true });
    await writeFile(join(outside, 'file'), 'mine');
    const dump = async () => dumpTree(await treeFromDirectory(outside));
    const before = await dump();

    const prefix = packed.mark.slice(0, packed.mark.lastIndexOf('-') + 1);
    await symlink(join(outside, 'file'), packed.at(`${prefix}${inodeOf(packed.manifest, 'suid') - 1}`));
    await symlink(join(outside, 'file'), packed.at('suid'));
    await rename(packed.at('deep'), join(packed.directory, 'away'));
    await symlink(outside, packed.at('deep'));
    await expect(unpack(packed, { threads })).rejects.toMatchObject({
      kind: 'conflict',
      message: 'cannot write deep',
    });
    expect(await dump()).toBe(before);

    await unlink(packed.at('deep'));
    await unpack(packed, { threads });
    expect(await dump()).toBe(before);
    await expectSame(packed.target, packed.source);
  });

  test('when a directory becomes a link while its files are written', async () => {
    const packed = await packedDirectory();
    const outside = join(packed.directory, 'outside');
    await mkdir(outside);
    const before = await lstat(outside, { bigint: true });
    const { store } = packed;
    let isSwapped = false;
    const get = store.get.bind(store);
    store.get = (id) => {
      if (!isSwapped) {
        renameSync(join(packed.target, 'deep'), join(packed.directory, 'away'));
        symlinkSync(outside, join(packed.target, 'deep'));
      }
      isSwapped = true;
      return get(id);
    };
    const unpacking = unpack(packed, { blocks: new RemoteBlocks(store) });
    await expect(unpacking).rejects.toMatchObject({ name: 'Failure', message: 'cannot write deep' });
    const { mode, ctimeNs } = await lstat(outside, { bigint: true });
    expect({ mode, ctimeNs }).toEqual({ mode: before.mode, ctimeNs: before.ctimeNs });
    expect(await readdir(outside)).toEqual([]);
  });

  test('when a further name of a hard link is taken', async () => {
    const packed = await interrupted();
    const outside = join(packed.directory, 'outside');
    await writeFile(outside, 'mine');
    await link(outside, packed.at('suid'));
    await unpack(packed);
    expect(await readFile(outside, 'utf8')).toBe('mine');
    expect(await readFile(packed.at('suid'), 'utf8')).toBe('x');
  });
});

test('a manifest as a tree reads no block before somebody wants it', async () => {
  const { manifest, store } = await packedDirectory();
  const read = storeReader(store);
  let reads = 0;
  const tree = treeOfManifest(manifest, (ref, size) => {
    reads++;
    return read(ref, size);
  });
  expect(tree.file('deep/large')!.content.size).toBe(blockSize + 5);
  expect(reads).toBe(0);
  for await (const _ of tree.file('deep/large')!.content.chunks()) break;
  expect(reads).toBe(1);
});
