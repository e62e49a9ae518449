import { expect, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { manifestOf } from '../flist/manifest/manifest.ts';
import { sampleRows } from '../flist/manifest/test-manifest.ts';
import { forecast } from './forecast.ts';

const ref = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(64) });
const zeros = {
  id: '0'.repeat(64),
  key: '0a93174557b2e0668f2531531415142280358ee32605d059dab1ce8ebbb1cc01',
};

/** `empty`, `a` of two blocks of which `b` has the first too, and `c` of zeros and one block. */
function flist() {
  const [root, , file] = sampleRows().inodes;
  const entry = (ino: number, name: string, size: number) => ({ ...file!, ino, parent: 1, name, size });
  return manifestOf({
    inodes: [
      root!,
      entry(2, 'empty', 0),
      entry(3, 'a', blockSize + 5),
      entry(4, 'b', blockSize),
      entry(5, 'c', blockSize + 9),
    ],
    blocks: new Map([
      [3, [ref('1'), ref('2')]],
      [4, [ref('1')]],
      [5, [zeros, ref('3')]],
    ]),
  });
}

const nothing = () => false;

test('everything is each different block once, without zeros', () => {
  expect(forecast(flist().columns, nothing)).toEqual({
    everything: {
      files: 3,
      blocks: 3,
      bytes: blockSize + 14,
      cachedBlocks: 0,
      cachedBytes: 0,
      requests: 3,
      bytesToFetch: blockSize + 14,
    },
  });
});

test('what is in the cache needs no request', () => {
  const { everything } = forecast(flist().columns, (row, { index }) => row === 2 && index === 0);
  expect(everything).toMatchObject({
    cachedBlocks: 1,
    cachedBytes: blockSize,
    requests: 2,
    bytesToFetch: 14,
  });
});

test('what is fetched ahead is said by itself', () => {
  const prefetch = [
    { ino: 5, first: 0, last: 1 },
    { ino: 4, first: 0, last: 0 },
    { ino: 3, first: 0, last: 0 },
  ];
  const { traced } = forecast(flist().with({ prefetch }).columns, nothing);
  expect(traced).toMatchObject({ files: 3, blocks: 2, bytes: blockSize + 9, requests: 2 });
});
