import { execFileSync } from 'node:child_process';
import {
  chmod,
  lstat,
  mkdir,
  mkdtempDisposable,
  readdir,
  readFile,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bytesContent, type Content } from './content.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import { type Entry, Tree } from './tree.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
const metadata = {
  mode: 0o644,
  uid: process.geteuid!(),
  gid: process.getegid!(),
  mtime: 1_700_000_000,
};
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
    await chmod(join(scratch.path, 'deep/target/sealed'), 0o700); // or only root could remove it
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

  test('gives times to the nanosecond, attributes that survive a new owner, and special files', async () => {
    await using scratch = await scratchDirectory();
    const target = join(scratch.path, 'target');
    const xattrs = new Map([['user.bytes', Buffer.of(0, 255)]]);
    const timed = { ...metadata, mtimeNs: 123_456_789 };
    const tree = Tree.from([
      ['dir', { kind: 'directory', ...timed, mode: 0o550, xattrs }],
      ['dir/file', { ...file(bytesContent('x')), ...timed, mode: 0o4400, xattrs }],
      ['dir/link', { kind: 'symlink', ...timed, target: 'file' }],
      ['fifo', { kind: 'fifo', ...timed, mode: 0o640 }],
      ['socket', { kind: 'socket', ...timed, mode: 0o7 }],
      ['name \udcff', file(bytesContent('y'))],
    ]);
    await writeTreeToDirectory(tree, target);
    const listing = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%p %y %m %T@\\n'], {
      cwd: target,
    });
    expect(listing.toString('latin1').split('\n').sort()).toMatchInlineSnapshot(`
      [
        "",
        "./dir d 550 1700000000.1234567890",
        "./dir/file f 4400 1700000000.1234567890",
        "./dir/link l 777 1700000000.1234567890",
        "./fifo p 640 1700000000.1234567890",
        "./name ÿ f 644 1700000000.0000000000",
        "./socket s 7 1700000000.1234567890",
      ]
    `);
    const shown = (path: string) =>
      execFileSync('getfattr', ['-e', 'hex', '-n', 'user.bytes', '--only-values', path], { cwd: target });
    expect([shown('dir'), shown('dir/file')]).toEqual([Buffer.of(0, 255), Buffer.of(0, 255)]);
    await chmod(join(target, 'dir'), 0o700);
  });

  test('says what it cannot make or keep, and leaves the directory empty', async () => {
    await using scratch = await scratchDirectory();
    const target = join(scratch.path, 'target');
    const xattrs = new Map([['user.name', Buffer.from('no link can have it')]]);
    const tree = Tree.from([
      ['a', file(bytesContent('x'))],
      ['link', { kind: 'symlink', ...metadata, target: 'a', xattrs }],
    ]);
    await expect(writeTreeToDirectory(tree, target)).rejects.toMatchObject({
      kind: 'denied',
      message: 'link: an extended attribute cannot be kept here',
    });
    expect(await readdir(target)).toEqual([]);
  });
});
