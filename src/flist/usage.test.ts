import { describe, expect, test } from 'vitest';
import { MemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { blockSize } from './block/block-codec.ts';
import type { Inode } from './manifest/inode.ts';
import { manifestOf } from './manifest/manifest.ts';
import { sampleRows } from './manifest/test-manifest.ts';
import { measureStored, measureUsage, usageByDirectory } from './usage.ts';

const root = sampleRows().inodes[0]!;
const id = (digit: string) => digit.repeat(64);

/** A manifest of files, each with the digits of its blocks, of which the last is `tail` bytes long. */
function manifestWith(files: Readonly<Record<string, string>>, tail = 10) {
  const inodes: Inode[] = [root];
  const blocks = new Map<number, { id: string; key: string }[]>();
  for (const [name, digits] of Object.entries(files)) {
    const ino = inodes.length + 1;
    const size = digits === '' ? 0 : (digits.length - 1) * blockSize + tail;
    inodes.push({ ...root, ino, parent: 1, name, mode: 0o100644, size });
    blocks.set(
      ino,
      Array.from(digits, (digit) => ({ id: id(digit), key: id(digit) })),
    );
  }
  return manifestOf({ inodes, blocks });
}

describe('what manifests hold', () => {
  test('is own or shared, and counts once where it is there several times', () => {
    const { each, total } = measureUsage([
      manifestWith({ a: '001', b: '01' }),
      manifestWith({ a: '02', empty: '' }),
    ]);
    expect(each).toEqual([
      {
        files: 2,
        bytes: 3 * blockSize + 20,
        blocks: 2,
        blockBytes: blockSize + 10,
        ownBytes: 10,
        sharedBytes: blockSize,
      },
      {
        files: 2,
        bytes: blockSize + 10,
        blocks: 2,
        blockBytes: blockSize + 10,
        ownBytes: 10,
        sharedBytes: blockSize,
      },
    ]);
    expect(total).toEqual({ files: 4, bytes: 4 * blockSize + 30, blocks: 3, blockBytes: blockSize + 20 });
  });

  test('is all shared when a manifest is named twice', () => {
    const manifest = manifestWith({ a: '012' });
    const { each, total } = measureUsage([manifest, manifest]);
    expect(each.map(({ ownBytes, sharedBytes }) => [ownBytes, sharedBytes])).toEqual(
      Array(2).fill([0, 2 * blockSize + 10]),
    );
    expect(total.blocks).toBe(3);
  });

  test('counts a file with several names once', () => {
    const file = { ...root, parent: 1, mode: 0o100644, size: 5 };
    const inodes = [root, { ...file, ino: 2, name: 'a' }, { ...file, ino: 3, name: 'b', link: 2 }];
    const ref = { id: id('0'), key: id('0') };
    const manifest = manifestOf({ inodes, blocks: new Map([2, 3].map((ino) => [ino, [ref]])) });
    expect(measureUsage([manifest]).total).toEqual({ files: 1, bytes: 5, blocks: 1, blockBytes: 5 });
    expect(usageByDirectory(manifest, 0)).toEqual([{ path: '', depth: 0, files: 1, bytes: 5 }]);
  });
});

describe('what blocks take in a store', () => {
  const manifests = [manifestWith({ a: '01' }), manifestWith({ a: '02', b: '1' })];

  test('is asked for, or else found by reading each once', async () => {
    const store: Store = Object.assign(new MemoryStore() as Store, { upkeep: undefined });
    await store.put(id('0'), Buffer.alloc(70));
    await store.put(id('1'), Buffer.alloc(5));
    expect(await measureStored(manifests, store)).toEqual({ bytes: 75, missing: 1 });
    const asked: string[] = [];
    const knowing = Object.assign(new MemoryStore(), {
      upkeep: {
        stat: async (block: string) => {
          asked.push(block);
          return block === id('2') ? undefined : { size: 3, modified: 0 };
        },
        sweep: async () => false,
        tidy: async () => ({ files: 0, bytes: 0 }),
      },
    });
    expect(await measureStored(manifests, knowing)).toEqual({ bytes: 6, missing: 1 });
    expect(asked).toHaveLength(3);
  });

  test('is not known when the store fails', async () => {
    const store = Object.assign(new MemoryStore() as Store, {
      upkeep: undefined,
      get: () => Promise.reject(new Error('no answer')),
    });
    await expect(measureStored(manifests, store)).rejects.toThrow('no answer');
  });
});

test('a directory holds all below it, and deep ones count where the depth ends', () => {
  const directory = (ino: number, parent: number, name: string) => ({ ...root, ino, parent, name });
  const file = (ino: number, parent: number, name: string) => ({
    ...directory(ino, parent, name),
    mode: 0o100644,
    size: 10,
  });
  const inodes = [
    root,
    directory(2, 1, 'a'),
    directory(3, 2, 'deep'),
    file(4, 3, 'x'),
    file(5, 2, 'y'),
    directory(6, 1, 'b'),
    file(7, 1, 'z'),
  ];
  const blocks = new Map([4, 5, 7].map((ino) => [ino, [{ id: id('0'), key: id('0') }]]));
  const usages = (depth: number) =>
    usageByDirectory(manifestOf({ inodes, blocks }), depth).map(({ path, files, bytes }) => [
      path,
      files,
      bytes,
    ]);
  expect(usages(0)).toEqual([['', 3, 30]]);
  expect(usages(1)).toEqual([
    ['', 3, 30],
    ['a', 2, 20],
    ['b', 0, 0],
  ]);
  expect(usages(9)).toEqual([
    ['', 3, 30],
    ['a', 2, 20],
    ['a/deep', 1, 10],
    ['b', 0, 0],
  ]);
});
