import { constants } from 'node:os';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { blockSize } from '../../flist/block/block-codec.ts';
import { manifestOf } from '../../flist/manifest/manifest.ts';
import { later } from '../../fuse/session.ts';
import { Statistics } from '../statistics.ts';
import type { BlockKeeper } from './block-keeper.ts';
import { BlockMemory, BlockMemoryOwner } from './block-memory.ts';
import type { FileBlock } from './block-ranges.ts';
import { FileReader } from './file-reader.ts';
import { type TestFiles, testFiles } from './test-columns.ts';

const fileSize = 3 * blockSize + 1000;
const content = Buffer.alloc(fileSize);
for (let block = 0; block < 4; block++) content.fill(block, block * blockSize); // block 0 is zeros
let files: TestFiles;

beforeAll(async () => {
  files = await testFiles([content, Buffer.from('another file')]);
});

/** A reader with some blocks of the first file in memory, and some in the cache. */
function readerWith({ memory: inMemory = [], cache = [] }: { memory?: number[]; cache?: number[] }) {
  const { columns } = files;
  const shared = BlockMemory.share();
  const memory = new BlockMemory(shared, columns);
  const owner = new BlockMemoryOwner<number>(shared, { isWanted: () => false, onEvict: () => {} });
  for (const index of inMemory) {
    const size = Math.min(blockSize, fileSize - index * blockSize);
    const placement = { place: columns.blockStart[1]! + index, size, isAhead: true, isMarked: true };
    const slot = owner.allocate(index, { ...placement, mayDisplace: false })!;
    content.copy(memory.bytes(slot), 0, index * blockSize);
    memory.publish(slot);
    memory.unpin(slot);
  }
  const keeper: Pick<BlockKeeper, 'readInto'> = {
    readInto(target: Uint8Array, { row, index }: FileBlock, start: number) {
      if (row !== 1 || !cache.includes(index)) return false;
      target.set(content.subarray(index * blockSize + start).subarray(0, target.length));
      return true;
    },
  };
  const answers: Buffer[] = [];
  const left: unknown[] = [];
  const touched: number[] = [];
  const statistics = Statistics.create([]);
  const reader = new FileReader({
    columns,
    memory,
    keeper: keeper as BlockKeeper,
    counter: statistics.counter(1),
    reply: (_, pieces) => void answers.push(Buffer.concat(pieces)),
    fetch: (...request) => void left.push(request),
    interrupt: () => {},
    touched: (_, place) => void touched.push(place),
  });
  return { reader, answers, left, touched, statistics };
}

test('any part of a file is made of the right parts of its blocks, from memory, the cache, or zeros', () => {
  const { reader, answers, left, statistics } = readerWith({ memory: [1, 3], cache: [2] });
  fc.assert(
    fc.property(fc.nat(fileSize + blockSize), fc.nat(2 * blockSize), (offset, size) => {
      expect(reader.read(1, offset, size, 1n)).toBe(later);
      expect(answers.pop()!.equals(content.subarray(offset, offset + size))).toBe(true);
    }),
  );
  expect(left).toEqual([]);
  const { readsFromMemory, readsFromCache } = statistics.snapshot().counters;
  expect(readsFromMemory).toBeGreaterThan(0);
  expect(readsFromMemory + readsFromCache).toBe(100);
});

test('a read that needs a missing block is left whole to others', () => {
  const { reader, answers, left } = readerWith({ memory: [1] });
  reader.read(1, 0, 100, 5n);
  expect(answers).toHaveLength(1);
  reader.read(1, 2 * blockSize - 10, 20, 6n);
  expect(left).toEqual([[6n, 1, 2 * blockSize - 10, 20]]);
  expect(answers).toHaveLength(1);
});

test('the first use of a marked block is told, once', () => {
  const { reader, touched } = readerWith({ memory: [1] });
  for (let i = 0; i < 3; i++) reader.read(1, blockSize, 10, 1n);
  expect(touched).toEqual([files.columns.blockStart[1]! + 1]);
});

test('a file with too few blocks gives EIO where they are missing', () => {
  const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
  const { columns } = manifestOf({
    inodes: [
      { ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 },
      { ...metadata, ino: 2, parent: 1, name: 'short', size: blockSize + 1, mode: 0o100644 },
    ],
    blocks: new Map([[2, [{ id: '0'.repeat(64), key: '0'.repeat(64) }]]]),
  });
  const left: unknown[] = [];
  const reader = new FileReader({
    columns,
    memory: new BlockMemory(BlockMemory.share(), columns),
    keeper: undefined,
    counter: Statistics.create([]).counter(1),
    reply: () => {},
    fetch: (...request) => void left.push(request),
    interrupt: () => {},
    touched: () => {},
  });
  expect(reader.read(1, 0, blockSize, 1n)).toBe(later);
  expect(reader.read(1, 0, blockSize + 1, 2n)).toBe(constants.errno.EIO);
  expect(left).toHaveLength(1);
});
