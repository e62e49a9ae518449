import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { blockSize } from '../flist/block/block-codec.ts';
import type { FileCache } from './file-cache.ts';
import {
  blocksGiven,
  fileOf,
  gives,
  placeOf,
  putAll,
  randomFile,
  readPart,
  type TestFile,
  threeBlocks,
} from './files.fixture.ts';
import type { PlainFile } from './plain-file.ts';
import { emptyCache, sizeAt, testDirectory, threadWith } from './test-cache.ts';

/** Changes one bit of a file as a failing disk would, but that its times change. */
function flipBit(path: string, position: number): void {
  const { atime, mtime } = statSync(path);
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  byte[0]! ^= 0x10;
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
  utimesSync(path, atime, mtime);
}

/** Puts bytes where rfs would have put a block. */
function plant(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

const names = (directory: string) => (readdirSync(directory, { recursive: true }) as string[]).sort();

describe('a file of one block', () => {
  test('is the block where rfs lays it, and nothing else is left', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(1000);
    const { id } = file.block(0);
    expect(cache.state(file)).toBe('none');
    expect(readPart(cache, file)).toBeUndefined();
    cache.put(file, 0, file.bytes);
    const [a, b] = [id.slice(0, 2), id.slice(2, 4)];
    expect(names(directory)).toEqual([a, `${a}/${b}`, `${a}/${b}/${id}`]);
    expect(readFileSync(placeOf(directory, file)).equals(file.bytes)).toBe(true);
    expect(cache.has(file, 0)).toBe(true);
    expect(cache.state(file)).toBe('whole');
    expect(gives(cache, file)).toBe(true);
    expect(readPart(cache, file, { at: 990, length: 10 })).toEqual(file.bytes.subarray(990));
    expect(readPart(cache, file, { at: 990, length: 11 })).toBeUndefined();
  });

  test('that rfs has put there is read', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(1000);
    plant(placeOf(directory, file), file.bytes);
    expect(gives(cache, file)).toBe(true);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut off', (bytes) => bytes.subarray(0, 10)],
    ['of the right size with wrong bytes', (bytes) => Buffer.alloc(bytes.length, 'x')],
    ['longer than the block', (bytes) => Buffer.concat([bytes, bytes])],
  ])('that is %s is removed, and no hit until it is put again', (_, damage) => {
    const { directory, cache, warnings } = emptyCache();
    const file = randomFile(1000);
    const path = placeOf(directory, file);
    plant(path, damage(file.bytes));
    expect(readPart(cache, file, { at: 3, length: 5 })).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    expect(warnings).toEqual([expect.stringContaining(`block ${file.block(0).id} in the cache`)]);
    cache.put(file, 0, file.bytes);
    expect(readPart(cache, file, { at: 3, length: 5 })).toEqual(file.bytes.subarray(3, 8));
  });

  test('that is empty, as rfs leaves it while it fetches, is a miss and stays', () => {
    const { directory, cache, warnings } = emptyCache();
    const file = randomFile(1000);
    plant(placeOf(directory, file), Buffer.alloc(0));
    expect(readPart(cache, file)).toBeUndefined();
    expect(cache.has(file, 0)).toBe(false);
    expect(sizeAt(placeOf(directory, file))).toBe(0);
    expect(warnings).toEqual([]);
  });
});

describe('a file of several blocks', () => {
  test('is a part with a map until the last block is there, and then a plain file', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    const [whole, part, map] = ['', '.part', '.map'].map((ending) => placeOf(directory, file, ending));
    cache.put(file, 2, file.plain(2));
    expect([whole, part, map].map((path) => sizeAt(path!))).toEqual([undefined, threeBlocks, 16 + 33 * 3]);
    expect(blocksGiven(cache, file)).toEqual([false, false, true]);
    expect([0, 1, 2].map((i) => cache.has(file, i))).toEqual([false, false, true]);
    expect(cache.state(file)).toBe('partial');
    cache.put(file, 0, file.plain(0));
    expect(blocksGiven(cache, file)).toEqual([true, false, true]);
    expect(readPart(cache, file)).toBeUndefined();
    cache.put(file, 1, file.plain(1));
    expect([whole, part, map].map((path) => sizeAt(path!))).toEqual([threeBlocks, undefined, 16 + 33 * 3]);
    expect(readFileSync(whole!).equals(file.bytes)).toBe(true);
    expect(cache.state(file)).toBe('whole');
    expect(gives(cache, file)).toBe(true);
    const across = { at: blockSize - 5, length: blockSize + 10 };
    const end = across.at + across.length;
    expect(readPart(cache, file, across)!.equals(file.bytes.subarray(across.at, end))).toBe(true);
    cache.put(file, 1, file.plain(1));
    expect(names(dirname(whole!))).toHaveLength(2);
  });

  test.each<[string, (cache: FileCache, file: TestFile) => unknown]>([
    ['reads it', gives],
    ['asks what is here', (cache, file) => cache.blocksHere(file)],
    ['puts a block', (cache, file) => cache.put(file, 1, file.plain(1))],
  ])('that is complete, whose writer was killed before it gave it its name, has it after somebody %s', (_, use) => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    putAll(cache, file);
    const [whole, part] = ['', '.part'].map((ending) => placeOf(directory, file, ending));
    renameSync(whole!, part!);
    const later = threadWith(directory).cache;
    use(later, file);
    expect([whole, part].map((path) => sizeAt(path!))).toEqual([threeBlocks, undefined]);
    expect(later.state(file)).toBe('whole');
    expect(gives(later, file)).toBe(true);
  });

  test('is also read from blocks that lie by themselves, as rfs leaves them', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    const blocks = [0, 1, 2].map((i) => fileOf(file.plain(i)));
    for (const block of blocks) plant(placeOf(directory, block), block.bytes);
    expect(cache.state(file)).toBe('partial');
    expect(gives(cache, file)).toBe(true);
    expect(cache.openWhole(file)).toBeUndefined();
    expect([...cache.prepareWhole(file)]).toHaveLength(3);
    expect(readFileSync(placeOf(directory, file)).equals(file.bytes)).toBe(true);
    const open = cache.openWhole(file)!;
    expect(readFileSync(open.descriptor).equals(file.bytes)).toBe(true);
    open.close();
  });

  test('says how many of its blocks are here, wherever they lie', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    expect(cache.blocksHere(file)).toBe(0);
    cache.put(file, 2, file.plain(2));
    expect(cache.blocksHere(file)).toBe(1);
    plant(placeOf(directory, fileOf(file.plain(0))), file.plain(0));
    plant(placeOf(directory, fileOf(file.plain(2))), file.plain(2));
    expect(cache.blocksHere(file)).toBe(2);
    putAll(cache, file);
    expect(cache.blocksHere(file)).toBe(3);
    const small = randomFile(10);
    expect(cache.blocksHere(small)).toBe(0);
    cache.put(small, 0, small.bytes);
    expect(cache.blocksHere(small)).toBe(1);
  });

  test('loses only the block that is wrong', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    putAll(cache, file);
    flipBit(placeOf(directory, file), blockSize + 7);
    const other = threadWith(directory);
    for (const { cache, warnings } of [other, threadWith(directory)]) {
      expect(blocksGiven(cache, file)).toEqual([true, false, true]);
      expect(cache.state(file)).toBe('partial');
      expect(warnings.length).toBe(cache === other.cache ? 1 : 0);
    }
    expect(blocksGiven(cache, file)).toEqual([true, false, true]);
    cache.put(file, 1, file.plain(1));
    for (const each of [cache, other.cache]) expect(gives(each, file)).toBe(true);
    expect(readFileSync(placeOf(directory, file)).equals(file.bytes)).toBe(true);
  });

  test('loses a wrong block of a part too', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    cache.put(file, 0, file.plain(0));
    cache.put(file, 1, file.plain(1));
    flipBit(placeOf(directory, file, '.part'), 5);
    expect(blocksGiven(cache, file)).toEqual([false, true, false]);
    expect(blocksGiven(threadWith(directory).cache, file)).toEqual([false, true, false]);
    cache.put(file, 0, file.plain(0));
    expect(blocksGiven(cache, file)).toEqual([true, true, false]);
  });

  test('is taken for what it is by its contents: equal files are one', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    putAll(cache, file);
    const again = fileOf(file.bytes);
    expect(gives(cache, again)).toBe(true);
    const longer = fileOf(Buffer.concat([file.bytes, Buffer.of(1)]));
    expect(cache.state(longer)).toBe('none');
    expect(names(join(directory, 'files'))).toHaveLength(3);
  });

  test('whose blocks do not make up its size is never here', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(threeBlocks);
    for (const lie of [{ size: 4 * blockSize }, { size: blockSize }, { count: 0, size: 0 }, { count: 2 }]) {
      const hostile: PlainFile = { size: file.size, count: file.count, block: file.block, ...lie };
      cache.put(hostile, 0, file.plain(0));
      expect(cache.readInto(Buffer.alloc(10), hostile, 0)).toBe(false);
      expect(cache.has(hostile, 0)).toBe(false);
      expect(cache.state(hostile)).toBe('none');
      expect(cache.openWhole(hostile)).toBeUndefined();
    }
    cache.put(file, 2, file.plain(1));
    expect(existsSync(directory)).toBe(false);
  });
});

describe('what a process has hashed', () => {
  test('it need not hash again, in none of its threads', () => {
    const { directory, cache, shared } = emptyCache();
    const [file, block] = [randomFile(threeBlocks), randomFile(10)];
    putAll(cache, file);
    putAll(cache, block);
    const known = threadWith(directory, shared);
    expect(blocksGiven(known.cache, file, false)).toEqual([true, true, true]);
    expect(blocksGiven(known.cache, block, false)).toEqual([true]);
    const stranger = threadWith(directory);
    expect(blocksGiven(stranger.cache, file, false)).toEqual([false, false, false]);
    expect(blocksGiven(stranger.cache, block, false)).toEqual([false]);
  });

  test('stays known while it writes more of the file', () => {
    const { directory, cache, shared } = emptyCache();
    const reader = threadWith(directory, shared);
    const file = randomFile(threeBlocks);
    for (const [i, expected] of [[true], [true, true], [true, true, true]].entries()) {
      cache.put(file, i, file.plain(i));
      expect(blocksGiven(reader.cache, file, false).slice(0, i + 1)).toEqual(expected);
    }
  });

  test.each([
    false,
    true,
  ])('is no longer known when somebody has changed the file, part %s, though its size and times are the same', (partial) => {
    const { directory, cache, shared } = emptyCache();
    const file = randomFile(threeBlocks);
    for (const i of partial ? [0, 1] : [0, 1, 2]) cache.put(file, i, file.plain(i));
    const { atime, mtime } = statSync(placeOf(directory, file, partial ? '.part' : ''));
    expect(blocksGiven(cache, file, false)[0]).toBe(true);
    utimesSync(placeOf(directory, file, partial ? '.part' : ''), atime, mtime);
    for (const each of [cache, threadWith(directory, shared).cache])
      expect(blocksGiven(each, file, false)).toEqual([false, false, false]);
    expect(blocksGiven(cache, file)).toEqual([true, true, !partial]);
    expect(blocksGiven(cache, file, false)).toEqual([true, true, !partial]);
  });

  test('is another matter for a flist that gives the block another key or size', () => {
    const { cache } = emptyCache();
    const file = randomFile(1000);
    cache.put(file, 0, file.bytes);
    expect(gives(cache, file)).toBe(true);
    const { id, key } = file.block(0);
    const otherKey = { size: 1000, count: 1, block: () => ({ id, key: '0'.repeat(64), size: 1000 }) };
    expect(readPart(cache, otherKey)).toBeUndefined();
    cache.put(file, 0, file.bytes);
    expect(readPart(cache, { size: 999, count: 1, block: () => ({ id, key, size: 999 }) })).toBeUndefined();
  });

  test('is hashed again each time where another user may have changed it', () => {
    const { directory, cache } = emptyCache();
    const file = randomFile(1000);
    plant(placeOf(directory, file), file.bytes);
    chownSync(placeOf(directory, file), 12345, 12345);
    for (let i = 0; i < 2; i++) {
      expect(gives(cache, file)).toBe(true);
      expect(readPart(cache, file, { verify: false })).toBeUndefined();
    }
    expect(cache.openWhole(file)).toBeUndefined();
    chownSync(placeOf(directory, file), 0, 0);
    chmodSync(placeOf(directory, file), 0o666);
    expect(gives(cache, file)).toBe(true);
    expect(cache.openWhole(file)).toBeUndefined();
  });
});

describe('a file that is opened for the kernel', () => {
  test('is whole and right, and held until it is closed', () => {
    const { cache, directory } = emptyCache();
    for (const file of [randomFile(1000), randomFile(threeBlocks)]) {
      expect(cache.openWhole(file)).toBeUndefined();
      putAll(cache, file);
      const other = threadWith(directory).cache;
      const open = other.openWhole(file)!;
      expect(readFileSync(open.descriptor).equals(file.bytes)).toBe(true);
      expect(other.held).toBe(1);
      open.closeDescriptor();
      expect(other.held).toBe(1);
      open.close();
      open.close();
      expect(other.held).toBe(0);
    }
  });

  test('is no damaged one', () => {
    const { cache, directory } = emptyCache();
    for (const file of [randomFile(1000), randomFile(threeBlocks)]) {
      putAll(cache, file);
      cache.openWhole(file)!.close();
      flipBit(placeOf(directory, file), file.size - 1);
      expect(cache.openWhole(file)).toBeUndefined();
      expect(existsSync(placeOf(directory, file))).toBe(false);
    }
  });

  test('has been hashed before, block for block, when it is large', () => {
    const { cache, directory } = emptyCache();
    const file = randomFile(9 * blockSize);
    putAll(cache, file);
    cache.openWhole(file)!.close();
    const other = threadWith(directory).cache;
    expect(other.openWhole(file)).toBeUndefined();
    const steps = other.prepareWhole(file);
    for (let i = 0; i < 9; i++) expect(steps.next().done).toBe(false);
    expect(other.openWhole(file)).toBeUndefined();
    expect(steps.next()).toEqual({ done: true, value: true });
    other.openWhole(file)!.close();
    flipBit(placeOf(directory, file), 8 * blockSize);
    expect([...other.prepareWhole(file)]).toHaveLength(8);
    expect(blocksGiven(other, file)).toEqual([...Array(8).fill(true), false]);
  });
});

describe('a directory', () => {
  test('that is made is for its owner only', () => {
    const root = testDirectory();
    const { cache } = threadWith(join(root, 'a/b/cache'));
    cache.put(randomFile(10), 0, randomBytes(10));
    expect(statSync(join(root, 'a/b/cache')).mode & 0o777).toBe(0o700);
  });

  test.each([0o755, 0o1777])('of mode %o works, and links in it are not followed', (mode) => {
    const { cache, directory, warnings } = emptyCache();
    const elsewhere = testDirectory();
    mkdirSync(directory);
    chmodSync(directory, mode);
    const [file, block, link] = [randomFile(threeBlocks), randomFile(1000), randomFile(2000)];
    symlinkSync(elsewhere, join(directory, 'files'));
    symlinkSync(elsewhere, join(directory, block.block(0).id.slice(0, 2)));
    plant(join(elsewhere, 'link'), link.bytes);
    mkdirSync(dirname(placeOf(directory, link)), { recursive: true });
    symlinkSync(join(elsewhere, 'link'), placeOf(directory, link));
    for (const each of [file, block]) {
      putAll(cache, each);
      expect(readPart(cache, each)).toBeUndefined();
      expect(cache.openWhole(each)).toBeUndefined();
    }
    expect(readPart(cache, link)).toBeUndefined();
    expect(names(elsewhere)).toEqual(['link']);
    expect(warnings).toHaveLength(1);
    unlinkSync(join(directory, 'files'));
    putAll(cache, file);
    expect(gives(cache, file)).toBe(true);
    putAll(cache, link);
    expect(gives(cache, link)).toBe(true);
    cache.openWhole(link)!.close();
  });

  test('with a fifo in the place of a file keeps nobody waiting', async () => {
    const { cache, directory } = emptyCache();
    const [file, block] = [randomFile(threeBlocks), randomFile(1000)];
    const paths = [
      placeOf(directory, file, '.part'),
      placeOf(directory, file, '.map'),
      placeOf(directory, block),
    ];
    for (const path of paths) mkdirSync(dirname(path), { recursive: true });
    await run('mkfifo', paths);
    for (const each of [file, block]) {
      expect(readPart(cache, each)).toBeUndefined();
      putAll(cache, each);
      expect(gives(cache, each)).toBe(true);
    }
  });

  test('into whose parts another user writes gets nothing of ours there', () => {
    const { cache, directory } = emptyCache();
    const file = randomFile(threeBlocks);
    const part = placeOf(directory, file, '.part');
    plant(part, Buffer.alloc(file.size));
    chownSync(part, 12345, 12345);
    const theirs = openSync(part, 'r');
    putAll(cache, file);
    expect(readFileSync(theirs).equals(Buffer.alloc(file.size))).toBe(true);
    closeSync(theirs);
    expect(gives(cache, file)).toBe(true);
  });

  test('that cannot be written costs one warning, and none of what is there', () => {
    const root = testDirectory();
    writeFileSync(join(root, 'file'), 'in the way');
    const { cache, warnings } = threadWith(join(root, 'file/cache'));
    for (const file of [randomFile(10), randomFile(threeBlocks)]) {
      putAll(cache, file);
      expect(readPart(cache, file)).toBeUndefined();
    }
    expect(warnings).toEqual([expect.stringMatching(/^cannot write to the cache .*file\/cache.*: ENOTDIR/)]);
    rmSync(join(root, 'file'));
    const file = randomFile(10);
    putAll(cache, file);
    expect(gives(cache, file)).toBe(true);
  });

  test('that is removed while it is used is made again', () => {
    const { cache, directory, warnings } = emptyCache();
    const files = [randomFile(threeBlocks), randomFile(1000)];
    for (const file of files) {
      cache.put(file, 0, file.plain(0));
      expect(blocksGiven(cache, file)[0]).toBe(true);
    }
    rmSync(directory, { recursive: true });
    for (const file of files) {
      putAll(cache, file);
      expect(gives(cache, file)).toBe(true);
      expect(existsSync(placeOf(directory, file))).toBe(true);
    }
    expect(warnings).toEqual([]);
  });
});

describe('a file that has a block at several places', () => {
  const [a, b, c] = [1, 2, 3].map((byte) => Buffer.alloc(blockSize, byte)) as [Buffer, Buffer, Buffer];
  const file = () => fileOf(Buffer.concat([a, b, c, b, b, a.subarray(9)]));

  test('gives it at all of them once it was put at one, and at no other', () => {
    const { cache } = emptyCache();
    const repeated = file();
    cache.put(repeated, 3, b);
    expect(blocksGiven(cache, repeated)).toEqual([false, true, false, true, true, false]);
    expect(Array.from({ length: 6 }, (_, i) => cache.has(repeated, i))).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  test('becomes whole with each block put once', () => {
    const { cache, directory } = emptyCache();
    const repeated = file();
    for (const index of [0, 4, 2, 5]) cache.put(repeated, index, repeated.plain(index));
    expect(gives(cache, repeated)).toBe(true);
    expect(cache.openWhole(repeated)).toBeUndefined();
    const steps = cache.prepareWhole(repeated);
    let step = steps.next();
    while (!step.done) step = steps.next();
    expect(step.value).toBe(true);
    cache.openWhole(repeated)!.close();
    expect(readFileSync(placeOf(directory, repeated)).equals(repeated.bytes)).toBe(true);
  });

  test('gives none of them when the first is damaged', () => {
    const { cache, directory } = emptyCache();
    const repeated = file();
    cache.put(repeated, 1, b);
    flipBit(placeOf(directory, repeated, '.part'), blockSize + 7);
    expect(blocksGiven(cache, repeated)).toEqual([false, false, false, false, false, false]);
  });
});
