import { constants } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes, decodeName, encodeName } from '../base/names.ts';
import { blockSize } from '../flist/block/block-codec.ts';
import { type Inode, manifestOf } from '../flist/manifest/manifest.ts';
import { InodeTable } from './inode-table.ts';

const { ENODATA, ENXIO } = constants.errno;
/** Of 512 KiB of zeros (flist format, section 2.2). */
const zeroKey = '0a93174557b2e0668f2531531415142280358ee32605d059dab1ce8ebbb1cc01';

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
      const listed = Array.from(table.children(1), (row) => text(table.nameAt(row)));
      expect(listed).toEqual(names.toSorted(compareBytes));
      for (const name of names) {
        const node = table.child(1, Buffer.from(name))!;
        expect([text(table.nameAt(node - 1)), table.parent(node)]).toEqual([name, 1]);
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
  expect(table.totals().inodes).toBe(5);
  expect([table.has(0), table.has(1), table.has(5), table.has(6)]).toEqual([false, true, true, false]);
});

test('the names of a hard-linked file are one inode with as many links', () => {
  const file = { size: 10, uid: 7 };
  const table = tableOf([
    root,
    inode(2, 1, 'a', file),
    inode(3, 1, 'b', { ...file, link: 2 }),
    inode(4, 1, 'c', { ...file, link: 2 }),
  ]);
  for (const name of ['a', 'b', 'c']) expect(table.child(1, Buffer.from(name))).toBe(2);
  expect(Array.from(table.children(1), (row) => [text(table.nameAt(row)), table.nodeAt(row)])).toEqual([
    ['a', 2],
    ['b', 2],
    ['c', 2],
  ]);
  expect(table.attributes(2)).toMatchObject({ ino: 2, nlink: 3, uid: 7 });
  expect(table.totals()).toEqual({ inodes: 2, bytes: 10 });
});

test('a time has its nanoseconds; a change that was not the modification has none', () => {
  const table = tableOf([
    root,
    inode(2, 1, 'a', { mtime: 5, ctime: 5, mtimeNs: 999_999_999 }),
    inode(3, 1, 'b', { mtime: 5, ctime: 6, mtimeNs: 7 }),
  ]);
  expect(table.attributes(1)).toMatchObject({ atimeNs: 0, mtimeNs: 0, ctimeNs: 0 });
  expect(table.attributes(2)).toMatchObject({
    atimeNs: 999_999_999,
    mtimeNs: 999_999_999,
    ctimeNs: 999_999_999,
  });
  expect(table.attributes(3)).toMatchObject({ atimeNs: 7, mtimeNs: 7, ctimeNs: 0 });
});

test('extended attributes are given by name, whatever the name and the bytes of the value', () => {
  const names = fc.uniqueArray(
    fc
      .string({ unit: 'binary', minLength: 1, maxLength: 10 })
      .filter((name) => name.isWellFormed() && !name.includes('\0'))
      .map((name) => `user.${name}`),
  );
  fc.assert(
    fc.property(names, fc.uint8Array({ maxLength: 20 }), (names, value) => {
      const xattrs = new Map(names.map((name) => [name, value]));
      const table = tableOf([root, inode(2, 1, 'a', names.length > 0 ? { xattrs } : {})]);
      expect(table.hasXattrs).toBe(names.length > 0);
      expect(table.xattrNames(2).map(decodeName)).toEqual(names.toSorted(compareBytes));
      for (const name of names)
        expect(Buffer.from(table.xattr(2, encodeName(name)) as Uint8Array).equals(value)).toBe(true);
      expect(table.xattr(2, Buffer.from('trusted.x'))).toBe(ENODATA);
      expect([table.xattrNames(1), table.xattr(1, Buffer.from('user.x'))]).toEqual([[], ENODATA]);
    }),
  );
});

test('access control lists are told from other attributes', () => {
  const tableWith = (name: string) =>
    tableOf([root, inode(2, 1, 'a', { xattrs: new Map([[name, Buffer.from('x')]]) })]);
  expect(tableWith('system.posix_acl_access').hasAcls).toBe(true);
  expect(tableWith('system.posix_acl_default').hasAcls).toBe(true);
  expect(tableWith('user.posix_acl_access').hasAcls).toBe(false);
  expect(tableOf([root]).hasAcls).toBe(false);
});

test('blocks of zeros are holes, for lseek(2) and in the blocks that stat(2) counts', () => {
  const zeros = { id: 'a'.repeat(64), key: zeroKey };
  const data = { id: 'b'.repeat(64), key: 'c'.repeat(64) };
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 6 }), fc.nat(blockSize), fc.nat(), (holes, last, at) => {
      const size = last === 0 ? holes.length * blockSize : holes.length * blockSize + last;
      const blocks = [...holes.map((isHole) => (isHole ? zeros : data)), ...(last === 0 ? [] : [data])];
      const table = tableOf([root, inode(2, 1, 'a', { size })], [[2, blocks]]);
      const isHole = (offset: number) => holes[Math.floor(offset / blockSize)] ?? offset >= size;
      expect(table.attributes(2).blocks).toBe(
        Math.ceil(size / 512) - holes.filter(Boolean).length * (blockSize / 512),
      );
      const offset = size === 0 ? at : at % (size + 10);
      for (const wanted of ['data', 'hole'] as const) {
        const found = table.seek(2, offset, wanted);
        const starts = [offset, ...blocks.map((_, i) => i * blockSize), size].filter(
          (start) => start >= offset,
        );
        const expected = starts.find((start) => isHole(start) === (wanted === 'hole'));
        if (offset >= size || expected === undefined) expect(found).toBe(ENXIO);
        else expect(found).toEqual({ offset: expected });
      }
    }),
  );
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
