import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockSize, encodeBlock } from '../flist/block/block-codec.ts';
import { CacheDirectory } from './cache-directory.ts';
import { parseCacheSize } from './cache-size.ts';
import {
  blocksGiven,
  fileOf,
  gives,
  placeOf,
  putAll,
  randomFile,
  type TestFile,
  threeBlocks,
} from './files.fixture.ts';
import { idEncoder } from './id-encoder.ts';
import { parsePosition, readPosition, scrubOnce } from './scrub.ts';
import { StateLock } from './state-lock.ts';
import { emptyCache, testDirectory } from './test-cache.ts';
import { verifyCache } from './verify-cache.ts';

/** A file of one block whose id is the right one. */
async function realFile(bytes: Buffer): Promise<TestFile> {
  const { ref } = await encodeBlock(bytes);
  return { ...fileOf(bytes), block: () => ({ ...ref, size: bytes.length }) };
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 4;
  writeFileSync(path, bytes);
}

/** A cache with a file of each kind, sound. */
async function filledCache() {
  const { cache, directory, shared } = emptyCache();
  const [whole, part] = [randomFile(threeBlocks), randomFile(threeBlocks)];
  const block = await realFile(Buffer.alloc(2000, 'some text '));
  for (const file of [whole, block]) putAll(cache, file);
  for (const i of [0, 2]) cache.put(part, i, part.plain(i));
  return { cache, directory, shared, whole, part, block };
}

async function scrub(directory: string, rate = 1e12): Promise<string[]> {
  const lines: string[] = [];
  const idOf = await idEncoder();
  const { signal } = new AbortController();
  await scrubOnce(new CacheDirectory(directory), { rate, idOf, log: (line) => lines.push(line), signal });
  return lines;
}

/** Bytes of a file that are in the page cache. */
function bytesInMemory(path: string): number {
  return Number(
    execFileSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', path], { encoding: 'utf8' }),
  );
}

/** Lets the last pass be long ago. */
function forget(directory: string): void {
  writeFileSync(`${directory}/state/scrub/position`, ' 5 6\n');
}

test('a scrub finds nothing where all is sound, and does not come again for a day', async () => {
  const { directory, whole, part, block } = await filledCache();
  expect(await scrub(directory)).toEqual([]);
  const { after, began, ended } = readPosition(new CacheDirectory(directory));
  expect([after, began > 0, ended >= began]).toEqual(['', true, true]);
  flip(placeOf(directory, block), 3);
  expect(await scrub(directory)).toEqual([]);
  forget(directory);
  expect(await scrub(directory)).toEqual([
    expect.stringContaining(`block ${block.block(0).id} in the cache`),
  ]);
  for (const file of [whole, part]) expect(existsSync(placeOf(directory, file, '.map'))).toBe(true);
});

test('what is damaged is named and taken out, and nothing else', async () => {
  const { cache, directory, whole, part, block } = await filledCache();
  flip(placeOf(directory, whole), blockSize + 9);
  flip(placeOf(directory, part, '.part'), 2 * blockSize);
  flip(placeOf(directory, block), 0);
  const lines = await scrub(directory);
  expect(lines).toHaveLength(3);
  expect(lines.join('\n')).toMatch(/was damaged in its block 1 and is no longer used/);
  expect(lines.join('\n')).toMatch(/was damaged in its block 2 and is no longer used/);
  expect(existsSync(placeOf(directory, block))).toBe(false);
  expect(blocksGiven(cache, whole)).toEqual([true, false, true]);
  expect(blocksGiven(cache, part)).toEqual([true, false, false]);
  for (const file of [whole, part, block]) {
    putAll(cache, file);
    expect(gives(cache, file)).toBe(true);
  }
  forget(directory);
  expect(await scrub(directory)).toEqual([]);
});

test('a whole file whose map is lost is proved by its name, and goes as a whole', async () => {
  const { directory, whole } = await filledCache();
  writeFileSync(placeOf(directory, whole, '.map'), 'zosmap1\nbut no map');
  expect(await scrub(directory)).toEqual([]);
  flip(placeOf(directory, whole), 5);
  forget(directory);
  expect(await scrub(directory)).toHaveLength(1);
  expect(existsSync(placeOf(directory, whole))).toBe(false);
});

test('a scrub leaves in memory what is there of the files', async () => {
  const { directory, whole, block } = await filledCache();
  execFileSync('sync', ['-f', directory]);
  await scrub(directory);
  for (const file of [whole, block]) expect(bytesInMemory(placeOf(directory, file))).toBeGreaterThan(0);
});

test('an empty block, as rfs leaves it while it fetches, is left alone', async () => {
  const { directory } = await filledCache();
  const empty = placeOf(directory, randomFile(10));
  mkdirSync(dirname(empty), { recursive: true });
  writeFileSync(empty, '');
  expect(await scrub(directory)).toEqual([]);
  expect(statSync(empty).size).toBe(0);
});

test('a scrub that was stopped goes on where it was, and only one process does it', async () => {
  const { directory, block, whole } = await filledCache();
  const place = new CacheDirectory(directory);
  const lines: string[] = [];
  const idOf = await idEncoder();
  const ended = new AbortController();
  const log = (line: string) => {
    lines.push(line);
    ended.abort();
  };
  for (const file of [block, whole]) flip(placeOf(directory, file), 1);
  const lock = StateLock.take(place, 'scrub')!;
  await scrubOnce(place, { rate: 1e12, idOf, log, signal: new AbortController().signal });
  expect(lines).toEqual([]);
  lock.release();
  await scrubOnce(place, { rate: 1e12, idOf, log, signal: ended.signal });
  expect(lines).toEqual([expect.stringContaining('block ')]);
  expect(readPosition(place)).toMatchObject({ ended: 0, began: expect.any(Number) });
  expect(await scrub(directory)).toEqual([expect.stringContaining('file ')]);
  expect(readPosition(place).ended).toBeGreaterThan(0);
});

test('all cores find the same', async () => {
  const { directory, whole, part, block } = await filledCache();
  const place = new CacheDirectory(directory);
  expect(await verifyCache(place)).toMatchObject({ files: 3, blocks: 6, unproved: 0, damaged: [] });
  flip(placeOf(directory, whole), 1);
  flip(placeOf(directory, part, '.part'), 1);
  flip(placeOf(directory, block), 1);
  const { damaged } = await verifyCache(place);
  expect(damaged.map(({ kind, blocks }) => [kind, blocks]).sort()).toEqual([
    ['block', []],
    ['file', [0]],
    ['file', [0]],
  ]);
  expect(await verifyCache(place)).toMatchObject({ files: 2, blocks: 3, damaged: [] });
});

test('a position is read as it was written, and nonsense is none', () => {
  expect(parsePosition('ab/cd/ef 12 0\n')).toEqual({ after: 'ab/cd/ef', began: 12, ended: 0 });
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(parsePosition(text)).toBeUndefined();
    }),
  );
});

test('sizes are bytes or a share of the disk', () => {
  const directory = testDirectory();
  expect(parseCacheSize('20MiB', directory)).toBe(20 << 20);
  const half = parseCacheSize('50%', `${directory}/not/there`);
  expect(parseCacheSize('100%', directory)).toBeCloseTo(2 * half, -2);
  for (const text of ['', '101%', '-1', 'x', '5 %'])
    expect(() => parseCacheSize(text, directory)).toThrow('is no size');
});
