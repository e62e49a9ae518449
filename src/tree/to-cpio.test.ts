import { mkdir, mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cpioKindMask, cpioKinds, readCpio } from '../archive/cpio.ts';
import { run } from '../base/exec.ts';
import { bytesContent } from './content.ts';
import { dumpTree } from './dump.ts';
import { treeFromDirectory } from './from-directory.ts';
import { sampleTree } from './sample.fixture.ts';
import { type CpioOptions, cpioOf } from './to-cpio.ts';
import { writeTreeToDirectory } from './to-directory.ts';
import { Tree } from './tree.ts';

const isRoot = process.geteuid?.() === 0;
const withoutDevices = sampleTree.select(
  (_path, entry) => entry.kind !== 'character' && entry.kind !== 'block',
);

async function archiveOf(tree: Tree, options?: CpioOptions): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of cpioOf(tree, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function fileAt(mtime: number): Tree {
  return Tree.from([['a', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime, content: bytesContent('') }]]);
}

describe('a cpio archive', () => {
  test('lists in cpio as the paths of the tree', async () => {
    const { stdout } = await run('cpio', ['-t', '--quiet'], { input: await archiveOf(sampleTree) });
    expect(stdout.toString().trimEnd().split('\n')).toEqual(['.', ...[...sampleTree.paths()].slice(1)]);
  });

  test('unpacked by cpio is the tree, as root with owners and devices', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const tree = isRoot ? sampleTree : withoutDevices;
    const target = join(scratch.path, 'tree');
    await mkdir(target);
    await run('cpio', ['-idm', '--quiet'], { cwd: target, input: await archiveOf(tree) });
    const found = await treeFromDirectory(target);
    // cpio sets no times of symlinks, writes into directories after it set theirs, and sets owners only as root.
    const comparable = (from: Tree) =>
      dumpTree(
        from.map((_path, entry) => ({
          ...entry,
          mtime: entry.kind === 'symlink' || entry.kind === 'directory' ? 0 : entry.mtime,
          mtimeNs: 0,
          ...(!isRoot && { uid: 0, gid: 0 }),
        })),
      );
    expect((await comparable(found)).split('\n').slice(1)).toEqual(
      (await comparable(tree)).split('\n').slice(1),
    );
  });

  test('numbers inodes from one, and gives the data of hard links to the last name', async () => {
    const members = [...readCpio(await archiveOf(sampleTree))];
    const links = members.filter(({ header }) => header.links === 3);
    expect(links.map(({ header, data }) => [header.ino, data.length])).toEqual([
      [3, 0],
      [3, 0],
      [3, 11],
    ]);
    const numbers = new Set(members.map(({ header }) => header.ino));
    expect([...numbers]).toEqual(Array.from({ length: numbers.size }, (_, index) => index + 1));
    for (const { header } of members)
      if ((header.mode & cpioKindMask) === cpioKinds.directory) expect(header.links).toBe(2);
  });

  test('has no time after the epoch it is given, and earlier times as they are', async () => {
    const timeOf = async (mtime: number, options?: CpioOptions) =>
      [...readCpio(await archiveOf(fileAt(mtime), options))].at(-1)!.header.mtime;
    expect(await timeOf(100, { epoch: 50 })).toBe(50);
    expect(await timeOf(40, { epoch: 50 })).toBe(40);
    expect(await timeOf(100)).toBe(100);
    expect(await timeOf(-100)).toBe(0);
  });

  test('has the same bytes whatever order, umask and place the tree came from; a changed time shows', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const tree = isRoot
      ? sampleTree
      : withoutDevices.map((_path, entry) => ({ ...entry, uid: process.getuid!(), gid: process.getgid!() }));
    const bytes = await archiveOf(tree);
    expect(bytes.equals(await archiveOf(Tree.from([...tree].reverse())))).toBe(true);

    const umask = process.umask(0o077);
    try {
      await writeTreeToDirectory(tree, join(scratch.path, 'tree'));
    } finally {
      process.umask(umask);
    }
    const rootEntry = [['', tree.root] as const];
    const reread = (await treeFromDirectory(join(scratch.path, 'tree'))).with(rootEntry);
    expect(bytes.equals(await archiveOf(reread))).toBe(true);

    const later = tree.map((path, entry) =>
      path === 'empty' ? { ...entry, mtime: entry.mtime + 1 } : entry,
    );
    expect(bytes.equals(await archiveOf(later))).toBe(false);
  });

  test('refuses a file that its size field cannot hold', async () => {
    const content = { ...bytesContent(''), size: 2 ** 32 };
    const tree = Tree.from([['big', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content }]]);
    await expect(archiveOf(tree)).rejects.toThrow('big: a number or size does not fit');
  });
});
