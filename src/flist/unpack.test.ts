import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirStore } from '../store/dir.ts';
import { testDirectory } from '../store/test-directory.ts';
import { dumpTree } from '../tree/dump.ts';
import { treeFromDirectory } from '../tree/from-directory.ts';
import { Tree } from '../tree/tree.ts';
import { blockSize } from './block-codec.ts';
import { manifestOf, readManifest } from './manifest.ts';
import { storeReader, treeOfManifest } from './manifest-tree.ts';
import { packTree } from './pack.ts';
import { rowsOf } from './test-manifest.ts';
import { unpackManifest } from './unpack.ts';

const isRoot = process.geteuid!() === 0;

async function packedDirectory() {
  const directory = await testDirectory();
  const source = join(directory, 'source');
  await mkdir(join(source, 'deep/er'), { recursive: true });
  await writeFile(join(source, 'deep/large'), Buffer.alloc(blockSize + 5, 'large '));
  await writeFile(join(source, 'deep/er/empty'), '');
  await writeFile(join(source, 'suid'), 'x');
  await chmod(join(source, 'suid'), 0o4711);
  await symlink('/etc/passwd', join(source, 'absolute'));
  await symlink('../../outside', join(source, 'deep/up'));
  await chmod(join(source, 'deep'), 0o500);
  for (const path of ['deep/large', 'suid', 'deep']) await utimes(join(source, path), 1e9, 1e9);
  const manifest = join(directory, 'test.fl');
  const store = new DirStore(join(directory, 'store'));
  await packTree(await treeFromDirectory(source), { manifest, store, routes: [] });
  return { directory, source, store, manifest: await readManifest(manifest), target: join(directory, 'out') };
}

const wholeSeconds = (tree: Tree) =>
  Tree.from([...tree].map(([path, { mtimeNs: _, ...entry }]) => [path, entry]));

describe('unpacking', () => {
  test('gives back modes, times, links and bytes', async () => {
    const { source, store, manifest, target } = await packedDirectory();
    const summary = await unpackManifest(manifest, { directory: target, readBlock: storeReader(store) });
    expect(summary).toEqual({ files: 3, bytes: blockSize + 6, skipped: [] });
    expect(await dumpTree(await treeFromDirectory(target))).toBe(
      await dumpTree(wholeSeconds(await treeFromDirectory(source))),
    );
    await chmod(join(target, 'deep'), 0o700);
    await chmod(join(source, 'deep'), 0o700);
    execFileSync('diff', ['-r', '--no-dereference', source, target]);
  });

  test('leaves a directory that is not empty as it is', async () => {
    const { source, store, manifest, directory } = await packedDirectory();
    const before = await dumpTree(await treeFromDirectory(source));
    const unpacking = unpackManifest(manifest, { directory: source, readBlock: storeReader(store) });
    await expect(unpacking).rejects.toMatchObject({ kind: 'conflict' });
    expect(await dumpTree(await treeFromDirectory(source))).toBe(before);
    expect((await readdir(directory)).sort()).toEqual(['source', 'store', 'test.fl']);
  });

  test.each([
    'missing',
    'damaged',
  ])('names the file of a block that is %s, and leaves nothing', async (what) => {
    const { store, manifest, target } = await packedDirectory();
    const id = manifest.blocksOf(manifest.find('deep/large')!.ino)[1]!.id;
    if (what === 'missing') await store.delete(id);
    else await store.put(id, Buffer.from('not the block'));
    const unpacking = unpackManifest(manifest, { directory: target, readBlock: storeReader(store) });
    await expect(unpacking).rejects.toMatchObject({
      kind: what === 'missing' ? 'not-found' : 'corrupt',
      message: 'cannot read deep/large',
    });
    expect(await readdir(target)).toEqual([]);
  });

  test('makes what it can of special files, and says what it left out', async () => {
    const { directory, store, manifest } = await packedDirectory();
    const metadata = { size: 0, uid: 0, gid: 0, ctime: 0, mtime: 0, parent: 1, rdev: 0x103 };
    const special = [
      { ...metadata, ino: 91, name: 'fifo', mode: 0o010640 },
      { ...metadata, ino: 92, name: 'null', mode: 0o020666 },
      { ...metadata, ino: 93, name: 'socket', mode: 0o140666 },
    ];
    const target = join(directory, 'special');
    const { skipped } = await unpackManifest(
      manifestOf({ ...rowsOf(manifest), inodes: [...manifest.inodes, ...special] }),
      { directory: target, readBlock: storeReader(store) },
    );
    expect((await lstat(join(target, 'fifo'))).isFIFO()).toBe(true);
    const sockets = [{ path: 'socket', kind: 'socket' }];
    expect(skipped).toEqual(isRoot ? sockets : [{ path: 'null', kind: 'character' }, ...sockets]);
  });

  test('keeps owners when asked to, which takes root', async () => {
    const { store, manifest, directory } = await packedDirectory();
    const owned = manifestOf({
      ...rowsOf(manifest),
      inodes: Array.from(manifest.inodes, (inode) => ({ ...inode, uid: 1234, gid: 4321 })),
    });
    const [kept, own] = [join(directory, 'kept'), join(directory, 'own')];
    const readBlock = storeReader(store);
    const keeping = unpackManifest(owned, { directory: kept, readBlock, preserveOwnership: true });
    if (isRoot) {
      await keeping;
      expect(await lstat(join(kept, 'suid'))).toMatchObject({ uid: 1234, gid: 4321, mode: 0o104711 });
    } else await expect(keeping).rejects.toMatchObject({ kind: 'denied' });
    await unpackManifest(owned, { directory: own, readBlock });
    expect((await lstat(join(own, 'suid'))).uid).toBe(process.geteuid!());
    await rm(own, { recursive: true });
  });
});

test('a manifest as a tree reads no block before somebody wants it', async () => {
  const { manifest } = await packedDirectory();
  let reads = 0;
  const tree = treeOfManifest(manifest, async () => {
    reads++;
    return new Uint8Array(blockSize);
  });
  expect(tree.file('deep/large')!.content.size).toBe(blockSize + 5);
  expect(reads).toBe(0);
  for await (const _ of tree.file('deep/large')!.content.chunks()) break;
  expect(reads).toBe(1);
});
