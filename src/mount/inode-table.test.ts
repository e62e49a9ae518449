import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes } from '../base/names.ts';
import { type Inode, manifestOf } from '../flist/manifest.ts';
import { InodeTable } from './inode-table.ts';

function inode(ino: number, parent: number, name: string, more: Partial<Inode> = {}): Inode {
  return { ino, parent, name, size: 0, uid: 0, gid: 0, mode: 0o100644, rdev: 0, ctime: 0, mtime: 0, ...more };
}

const directory = { mode: 0o040755 };
const root = inode(1, 0, '/', directory);

function tableOf(inodes: readonly Inode[], blocks: [number, { id: string; key: string }[]][] = []) {
  return new InodeTable(manifestOf({ inodes, blocks: new Map(blocks) }).columns);
}

const text = (bytes: Uint8Array | undefined) =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

test('every child is found by its name and listed in byte order, whatever the names', () => {
  const names = fc.uniqueArray(
    fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((name) => !/^\.{1,2}$|[/\0]/.test(name) && name.isWellFormed()),
  );
  fc.assert(
    fc.property(names, fc.string({ minLength: 1 }), (names, other) => {
      const table = tableOf([root, ...names.map((name, i) => inode(i + 2, 1, name))]);
      const listed = Array.from(table.children(1), (row) => text(table.name(row + 1)));
      expect(listed).toEqual(names.toSorted(compareBytes));
      for (const name of names) {
        const node = table.child(1, Buffer.from(name))!;
        expect([text(table.name(node)), table.parent(node)]).toEqual([name, 1]);
      }
      if (!names.includes(other)) expect(table.child(1, Buffer.from(other))).toBeUndefined();
    }),
  );
});

test('the inodes of a tree keep their places whatever their order in the manifest', () => {
  const inodes = [
    inode(9, 4, 'deep'),
    inode(4, 2, 'sub', directory),
    inode(2, 1, 'dir', directory),
    inode(3, 1, 'a'),
    root,
  ];
  const table = tableOf(inodes);
  const walk = (...path: string[]) =>
    path.reduce((node: number | undefined, name) => node && table.child(node, Buffer.from(name)), 1);
  expect(table.attributes(walk('dir', 'sub', 'deep')!).ino).toBe(9);
  expect(table.parent(walk('dir', 'sub')!)).toBe(walk('dir'));
  expect(table.count).toBe(5);
  expect([table.has(0), table.has(1), table.has(5), table.has(6)]).toEqual([false, true, true, false]);
});

test('the names of a hard-linked file are one inode with as many links', () => {
  const file = { size: 0, uid: 7 };
  const table = tableOf([
    root,
    inode(2, 1, 'a', file),
    inode(3, 1, 'b', { ...file, link: 2 }),
    inode(4, 1, 'c', { ...file, link: 2 }),
  ]);
  for (const node of [2, 3, 4]) expect(table.attributes(node)).toMatchObject({ ino: 2, nlink: 3 });
});

test('attributes are those of the manifest; a directory counts its subdirectories as links', () => {
  const table = tableOf([
    root,
    inode(2, 1, 'device', {
      mode: 0o060600,
      rdev: 0xfff00801,
      uid: 4_000_000_000,
      mtime: -5,
      ctime: 2 ** 40,
    }),
    inode(3, 1, 'dir', directory),
    inode(4, 1, 'file', { size: 2 ** 45 + 1 }),
    inode(5, 1, 'link', { mode: 0o120777, size: 99, target: 'größe' }),
  ]);
  expect(table.attributes(1)).toMatchObject({ ino: 1, mode: 0o040755, nlink: 3 });
  expect(table.attributes(2)).toMatchObject({
    mode: 0o060600,
    rdev: 0xfff00801,
    uid: 4_000_000_000,
    atime: -5,
    mtime: -5,
    ctime: 2 ** 40,
    nlink: 1,
  });
  expect(table.attributes(3).nlink).toBe(2);
  expect(table.attributes(4)).toMatchObject({ size: 2 ** 45 + 1, blocks: 2 ** 36 + 1 });
  expect(table.attributes(5).size).toBe(7); // the length of the target, whatever the manifest says
  expect([text(table.target(5)), text(table.target(4))]).toEqual(['größe', '']);
});

test('the blocks of a file are found by their place', () => {
  const ref = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(63).padStart(64, 'f') });
  const inodes = [root, inode(2, 1, 'a'), inode(3, 1, 'b'), inode(4, 1, 'c')];
  const table = tableOf(inodes, [
    [2, [ref('a'), ref('b')]],
    [4, [ref('b')]],
  ]);
  expect([table.block(2, 0), table.block(2, 1), table.block(2, 2)]).toEqual([ref('a'), ref('b'), undefined]);
  expect(table.block(3, 0)).toBeUndefined();
  expect([table.block(4, 0), table.block(4, 1)]).toEqual([ref('b'), undefined]);
});
