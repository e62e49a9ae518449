import { lstat, mkdir, mkdtempDisposable, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bytesContent, type Content } from './content.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import { type Entry, Tree } from './tree.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000 };
const file = (content: Content): Entry => ({ kind: 'file', ...metadata, content });
const small = Tree.from([['a', file(bytesContent('data'))]]);

describe('writeTreeToDirectory', () => {
  test('gives exact modes whatever the umask, and the time of a directory that was written into', async () => {
    await using scratch = await scratchDirectory();
    const tree = Tree.from([
      ['open', { kind: 'directory', ...metadata, mode: 0o1777 }],
      ['open/closed', { ...file(bytesContent('x')), mode: 0o6777 }],
      ['sealed', { kind: 'directory', ...metadata, mode: 0o500 }],
      ['sealed/inside', file(bytesContent(''))],
    ]);
    const umask = process.umask(0o077);
    try {
      await writeTreeToDirectory(tree, join(scratch.path, 'deep', 'target'), { privileged: false });
    } finally {
      process.umask(umask);
    }
    const stats = async (path: string) => lstat(join(scratch.path, 'deep', 'target', path));
    expect((await stats('open')).mode & 0o7777).toBe(0o1777);
    expect((await stats('open')).mtimeMs).toBe(1_700_000_000_000);
    expect((await stats('open/closed')).mode & 0o7777).toBe(0o6777);
    expect((await stats('sealed')).mode & 0o7777).toBe(0o500);
  });

  test('makes hard links one inode', async () => {
    await using scratch = await scratchDirectory();
    const linked: Entry = { kind: 'file', ...metadata, content: bytesContent('x'), hardLink: 'a' };
    const tree = Tree.from([
      ['a', linked],
      ['b/c', linked],
    ]);
    await writeTreeToDirectory(tree, join(scratch.path, 'target'));
    const [one, other] = [
      await lstat(join(scratch.path, 'target/a')),
      await lstat(join(scratch.path, 'target/b/c')),
    ];
    expect(one.ino).toBe(other.ino);
    expect(one.nlink).toBe(2);
  });

  test('takes an empty directory, and refuses one with entries, a file and a symlink', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await mkdir(path('empty'));
    await mkdir(path('full'));
    await writeFile(path('full/file'), 'mine');
    await symlink('full', path('link'));
    await writeTreeToDirectory(small, path('empty'));
    expect(await readFile(path('empty/a'), 'utf8')).toBe('data');
    for (const name of ['full', 'full/file', 'link'])
      await expect(writeTreeToDirectory(small, path(name))).rejects.toMatchObject({ kind: 'conflict' });
    expect(await readdir(path('full'))).toEqual(['file']);
  });

  test('writes nothing through a symlink of the tree', async () => {
    await using scratch = await scratchDirectory();
    await writeFile(join(scratch.path, 'outside'), 'untouched');
    const tree = Tree.from([['link', { kind: 'symlink', ...metadata, mtime: 5, target: '../outside' }]]);
    await writeTreeToDirectory(tree, join(scratch.path, 'target'));
    expect(await readFile(join(scratch.path, 'outside'), 'utf8')).toBe('untouched');
    expect((await lstat(join(scratch.path, 'outside'))).mtimeMs).not.toBe(5000);
    expect((await lstat(join(scratch.path, 'target/link'))).mtimeMs).toBe(5000);
  });

  test('leaves the directory empty when a content cannot be read', async () => {
    await using scratch = await scratchDirectory();
    const broken: Content = {
      size: 4,
      read: () => Promise.reject(new Error('unreadable')),
      // biome-ignore lint/correctness/useYield: it fails before there is anything to give
      async *chunks() {
        throw new Error('unreadable');
      },
    };
    const tree = Tree.from([
      ['a', file(bytesContent('fine'))],
      ['b/c', file(broken)],
    ]);
    await expect(writeTreeToDirectory(tree, join(scratch.path, 'target'))).rejects.toThrow('unreadable');
    expect(await readdir(join(scratch.path, 'target'))).toEqual([]);
  });

  test('says before it writes anything what it cannot make', async () => {
    await using scratch = await scratchDirectory();
    const target = join(scratch.path, 'target');
    const device: Entry = { kind: 'character', ...metadata, major: 1, minor: 3 };
    await expect(
      writeTreeToDirectory(Tree.from([['null', device]]), target, { privileged: false }),
    ).rejects.toMatchObject({ kind: 'denied', message: 'null is a device node, which only root can make' });
    const socket: Entry = { kind: 'socket', ...metadata };
    await expect(writeTreeToDirectory(Tree.from([['s', socket]]), target)).rejects.toMatchObject({
      kind: 'failed',
    });
    expect(await readdir(scratch.path)).toEqual([]);
  });
});
