import { constants } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockSize } from '../flist/block-codec.ts';
import { type Inode, manifestOf } from '../flist/manifest.ts';
import { type DirectoryEntry, noEntry } from '../fuse/reply.ts';
import { later } from '../fuse/session.ts';
import { type BlockRange, FlistFilesystem } from './filesystem.ts';
import { InodeTable } from './inode-table.ts';

const { EINVAL, EIO, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR } = constants.errno;

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
const [root, dir, fifo, file, link, short] = [1, 2, 3, 4, 5, 6] as const;
const none = 7;
const ref = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(64) });

/** The filesystem over blocks that are filled with their number; `missing` ones are not in the cache. */
function filesystem(missing: readonly string[] = []) {
  const blocks = new Map([
    [40, [ref('0'), ref('1'), ref('2')]],
    [60, [ref('0')]],
  ]);
  const fetched: { unique: bigint; ranges: readonly BlockRange[] }[] = [];
  const table = new InodeTable(manifestOf({ inodes, blocks }).columns);
  const access = {
    readCached(target: Uint8Array, { block, start, end }: BlockRange) {
      expect(target.length).toBe(end - start);
      target.fill(Number(block.id[0]));
      return !missing.includes(block.id);
    },
    fetch: (unique: bigint, ranges: readonly BlockRange[]) => void fetched.push({ unique, ranges }),
  };
  return { fs: new FlistFilesystem(table, access), fetched };
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

test('any part of a file is made of the right parts of its blocks', () => {
  const { fs } = filesystem();
  const content = Buffer.alloc(fileSize);
  for (let block = 0; block < 3; block++) content.fill(block, block * blockSize);
  fc.assert(
    fc.property(fc.nat(fileSize + blockSize), fc.nat(2 * blockSize), (offset, size) => {
      const pieces = fs.read(file, offset, size, 1n) as Uint8Array[];
      expect(Buffer.concat(pieces).equals(content.subarray(offset, offset + size))).toBe(true);
    }),
  );
});

test('a read that needs a missing block is handed over whole', () => {
  const { fs, fetched } = filesystem([ref('1').id]);
  expect(fs.read(file, 0, 100, 5n)).not.toBe(later);
  expect(fs.read(file, blockSize - 10, 20, 6n)).toBe(later);
  expect(fetched).toEqual([
    {
      unique: 6n,
      ranges: [
        { block: { ...ref('0'), size: blockSize }, start: blockSize - 10, end: blockSize },
        { block: { ...ref('1'), size: blockSize }, start: 0, end: 10 },
      ],
    },
  ]);
});

test('a file with too few blocks gives EIO where they are missing', () => {
  const { fs } = filesystem();
  expect(fs.read(short, 0, blockSize, 1n)).toHaveLength(1);
  expect(fs.read(short, 0, blockSize + 1, 1n)).toBe(EIO);
});
