import { expect, test } from 'vitest';
import { blockSize } from '../../flist/block/block-codec.ts';
import { manifestOf } from '../../flist/manifest/manifest.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { Readahead } from './readahead.ts';

/** Files with so many whole blocks each, in rows from 1 on; no two blocks are equal. */
function columnsOf(blockCounts: readonly number[], size = blockSize): ManifestColumns {
  const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
  let number = 0;
  const ref = () => {
    const id = (number++).toString(16).padStart(64, '0');
    return { id, key: id };
  };
  const files = blockCounts.map((count, index) => ({
    inode: {
      ...metadata,
      ino: index + 2,
      parent: 1,
      name: String(index).padStart(6, '0'),
      size: count * size,
      mode: 0o100644,
    },
    refs: Array.from({ length: count }, ref),
  }));
  return manifestOf({
    inodes: [
      { ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 },
      ...files.map(({ inode }) => inode),
    ],
    blocks: new Map(files.map(({ inode, refs }) => [inode.ino, refs])),
  }).columns;
}

const places = (blocks: readonly { readonly place: number }[]) => blocks.map(({ place }) => place);

test('who reads a file in order gets more and more of it ahead, each block once, and nothing behind its end', () => {
  const readahead = new Readahead(columnsOf([100, 10]));
  const ahead: number[] = [];
  const sizes: number[] = [];
  for (let place = 0; place < 100; place++) {
    const blocks = places(readahead.touch(1, place));
    ahead.push(...blocks);
    if (blocks.length > 0) sizes.push(blocks.length);
    if (place > 0 && place < 99) expect(ahead.at(-1)).toBeGreaterThan(place);
  }
  expect(ahead).toEqual(Array.from({ length: 98 }, (_, i) => i + 2));
  expect(sizes.slice(0, 4)).toEqual([2, 4, 8, 8]);
  expect(Math.max(...sizes)).toBe(8); // 4 MiB
});

test('who reads one file after the other gets the next files ahead', () => {
  const readahead = new Readahead(
    columnsOf(
      Array.from({ length: 300 }, () => 1),
      4096,
    ),
  );
  const ahead: number[] = [];
  for (let place = 0; place < 300; place++) ahead.push(...places(readahead.touch(place + 1, place)));
  expect(ahead).toEqual(Array.from({ length: 297 }, (_, i) => i + 3));
});

test('who jumps gets nothing, and who goes back neither', () => {
  const readahead = new Readahead(columnsOf([1000]));
  for (const place of [500, 100, 900, 300, 700, 50, 950, 20]) expect(readahead.touch(1, place)).toEqual([]);
  for (let place = 800; place > 790; place--) expect(readahead.touch(1, place)).toEqual([]);
});

test('readers are told apart, and several that read side by side are one', () => {
  const readahead = new Readahead(columnsOf([100, 100]));
  const ahead: number[] = [];
  for (let i = 0; i < 50; i++) {
    ahead.push(...places(readahead.touch(1, i)));
    ahead.push(...places(readahead.touch(2, 100 + i)));
  }
  expect(new Set(ahead).size).toBe(ahead.length);
  expect(ahead.some((place) => place === 60)).toBe(true);
  expect(ahead.some((place) => place === 160)).toBe(true);
  const together = new Readahead(columnsOf([100]));
  for (const place of [1, 0, 3, 2]) together.touch(1, place);
  expect(places(together.touch(1, 4)).length).toBeGreaterThan(0);
});

test('blocks of zeros are not fetched', () => {
  const zeros = {
    id: '1'.repeat(64),
    key: '0a93174557b2e0668f2531531415142280358ee32605d059dab1ce8ebbb1cc01',
  };
  const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
  const other = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(64) });
  const { columns } = manifestOf({
    inodes: [
      { ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 },
      { ...metadata, ino: 2, parent: 1, name: 'f', size: 5 * blockSize, mode: 0o100644 },
    ],
    blocks: new Map([[2, [other('2'), other('3'), zeros, other('4'), zeros]]]),
  });
  const readahead = new Readahead(columns);
  readahead.touch(1, 0);
  expect(places(readahead.touch(1, 1))).toEqual([3]);
});
