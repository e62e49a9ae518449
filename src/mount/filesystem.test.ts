import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { type Inode, manifestOf } from '../flist/manifest/manifest.ts';
import { type DirectoryEntry, noEntry } from '../fuse/reply.ts';
import { later } from '../fuse/session.ts';
import { FlistFilesystem } from './filesystem.ts';
import { InodeTable } from './inode-table.ts';

const { EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR } = constants.errno;

const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
const fileSize = 2 * blockSize + 1000;
const inodes: Inode[] = [
  { ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 },
  { ...metadata, ino: 20, parent: 1, name: 'dir', size: 0, mode: 0o040700 },
  { ...metadata, ino: 30, parent: 1, name: 'fifo', size: 0, mode: 0o010644 },
  { ...metadata, ino: 40, parent: 1, name: 'file', size: fileSize, mode: 0o100644 },
  { ...metadata, ino: 50, parent: 1, name: 'link', size: 4, mode: 0o120777, target: 'file' },
  { ...metadata, ino: 60, parent: 1, name: 'short', size: blockSize + 1, mode: 0o100644 },
];
const [root, dir, fifo, file, link] = [1, 2, 3, 4, 5] as const;
const none = 7;
const ref = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(64) });

function filesystem() {
  const blocks = new Map([
    [40, [ref('0'), ref('1'), ref('2')]],
    [60, [ref('0')]],
  ]);
  const reads: { row: number; offset: number; size: number; unique: bigint }[] = [];
  const fs = new FlistFilesystem(new InodeTable(manifestOf({ inodes, blocks }).columns), {
    read: (row, offset, size, unique) => {
      reads.push({ row, offset, size, unique });
      return later;
    },
    interrupt: () => {},
  });
  return { fs, reads };
}

test('names are looked up in directories only', () => {
  const { fs } = filesystem();
  expect(fs.lookup(root, Buffer.from('file'))).toMatchObject({ node: file, attributes: { ino: 40 } });
  expect(fs.lookup(root, Buffer.from('nothing'))).toBe(noEntry);
  expect(fs.lookup(root, Buffer.alloc(255, 'x'))).toBe(noEntry);
  expect(fs.lookup(root, Buffer.alloc(256, 'x'))).toBe(ENAMETOOLONG);
  expect(fs.lookup(file, Buffer.from('x'))).toBe(ENOTDIR);
  expect(fs.lookup(none, Buffer.from('x'))).toBe(ENOENT);
});

test('a node of the wrong kind is refused with the error of read(2), readlink(2) or readdir(2)', () => {
  const { fs } = filesystem();
  expect(fs.read(dir, 0, 10, 1n)).toBe(EISDIR);
  expect(fs.read(fifo, 0, 10, 1n)).toBe(EINVAL);
  expect(fs.read(none, 0, 10, 1n)).toBe(ENOENT);
  expect(fs.lseek(dir, 0, 'data')).toBe(EISDIR);
  expect(fs.lseek(none, 0, 'data')).toBe(ENOENT);
  expect(fs.readlink(file)).toBe(EINVAL);
  expect(fs.readlink(none)).toBe(ENOENT);
  expect(fs.getattr(none)).toBe(ENOENT);
  expect(fs.readdir(link, 0, () => true)).toBe(ENOTDIR);
  expect(Buffer.from(fs.readlink(link) as Uint8Array).toString()).toBe('file');
});

function list(directory: number, from: number, limit: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  filesystem().fs.readdir(directory, from, (entry) => entries.length < limit && entries.push(entry) > 0);
  return entries;
}

test('a listing has all entries once, begun again at any offset that it gave', () => {
  const whole = list(root, 0, 100);
  expect(whole.map(({ name }) => Buffer.from(name).toString())).toEqual([
    '.',
    '..',
    'dir',
    'fifo',
    'file',
    'link',
    'short',
  ]);
  expect(whole.map(({ attributes }) => attributes.ino)).toEqual([1, 1, 20, 30, 40, 50, 60]);
  expect(whole.slice(0, 2).map(({ node }) => node)).toEqual([0, 0]);
  for (let step = 1; step <= 8; step++) {
    const parts: DirectoryEntry[] = [];
    for (let part = list(root, 0, step); part.length > 0; part = list(root, part.at(-1)!.next, step))
      parts.push(...part);
    expect(parts).toEqual(whole);
  }
  expect(list(dir, 0, 100).map(({ attributes }) => attributes.ino)).toEqual([20, 1]);
});

test('reading a file is left to who has its blocks', () => {
  const { fs, reads } = filesystem();
  expect(fs.read(file, 7, 10, 1n)).toBe(later);
  expect(reads).toEqual([{ row: file - 1, offset: 7, size: 10, unique: 1n }]);
});
