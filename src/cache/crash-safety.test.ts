/** Whatever lies in the directory, the cache gives right bytes or none, and can be filled again. */
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { parseMap } from './block-map.ts';
import { blocksGiven, fileOf, gives, placeOf, putAll, seededFile } from './files.fixture.ts';
import { emptyCache, threadWith } from './test-cache.ts';

/** Each takes some 50 ms; with CACHE_RUNS there are more of them. */
const runs = Number(process.env['CACHE_RUNS'] ?? 20);

const zeros = fileOf(Buffer.alloc(2 * blockSize));
const files = [seededFile(2 * blockSize + 5000, 1), seededFile(blockSize + 1, 2), seededFile(9000, 3), zeros];

/** Some blocks of some files, put by a process. */
function fill(cache: Parameters<typeof putAll>[0], missing: ReadonlySet<number>): void {
  let number = 0;
  for (const file of files)
    for (let i = 0; i < file.count; i++) if (!missing.has(number++)) cache.put(file, i, file.plain(i));
}

function filesBelow(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true }) as string[];
  return names
    .map((name) => join(directory, name))
    .filter((path) => lstatSync(path).isFile())
    .sort();
}

/** A change that something makes to a file: where in it, from 0 to 1, and how much. */
type Harm = (path: string, at: number, amount: number) => void;

const zeroPages: Harm = (path, at, amount) => {
  const bytes = readFileSync(path);
  const from = Math.floor((at * bytes.length) / 4096) * 4096;
  bytes.fill(0, from, Math.min(bytes.length, from + Math.ceil(amount * 64) * 4096));
  writeFileSync(path, bytes);
};

/** What a power cut does to what was not synced, which is everything. */
const losses: Readonly<Record<string, Harm>> = {
  'cuts off': (path, at) => truncateSync(path, Math.floor(at * lstatSync(path).size)),
  'zeroes pages': zeroPages,
  'zeroes all': (path) => writeFileSync(path, Buffer.alloc(lstatSync(path).size)),
  'loses the name': (path) => rmSync(path),
  'undoes the last name': (path) => {
    const last = /\.(part|map)$/.test(path) ? path.replace(/\.\w+$/, '') : `${path}.part`;
    renameSync(path, last);
  },
};

/** What else becomes of files. */
const harms: Readonly<Record<string, Harm>> = {
  ...losses,
  'flips a bit': (path, at, amount) => {
    const bytes = readFileSync(path);
    if (bytes.length === 0) return;
    bytes[Math.floor(at * bytes.length) % bytes.length]! ^= 1 << Math.floor(amount * 7.9);
    writeFileSync(path, bytes);
  },
  'adds bytes': (path, at, amount) =>
    writeFileSync(path, Buffer.alloc(1 + Math.floor(amount * 10_000), Math.floor(at * 255)), { flag: 'a' }),
  'swaps two files': (path, at) => {
    const others = filesBelow(join(path, '../..'));
    const other = others[Math.floor(at * others.length) % others.length]!;
    const bytes = readFileSync(path);
    writeFileSync(path, readFileSync(other));
    writeFileSync(other, bytes);
  },
};

const place = fc.double({ min: 0, max: 1, noNaN: true });

function harmsOf(some: Readonly<Record<string, Harm>>) {
  return fc.array(fc.tuple(fc.constantFrom(...Object.keys(some)), place, place, place), {
    minLength: 1,
    maxLength: 6,
  });
}

const missingBlocks = fc.uniqueArray(fc.nat({ max: 8 }), { maxLength: 5 }).map((list) => new Set(list));

/** Harms what lies there. */
function harm(directory: string, list: readonly [string, number, number, number][]): void {
  for (const [name, which, at, amount] of list) {
    const paths = filesBelow(directory);
    if (paths.length === 0) return;
    const path = paths[Math.min(paths.length - 1, Math.floor(which * paths.length))]!;
    if (existsSync(path)) harms[name]!(path, at, amount);
  }
}

/** A process reads everything, puts what it did not get, and then has everything. Wrong bytes throw. */
function expectRight({ cache }: ReturnType<typeof threadWith>): void {
  for (const file of files) {
    // What an open file still gave is missed when the file has lost its name: so twice.
    for (let round = 0; round < 2; round++)
      for (const [i, isHere] of [...blocksGiven(cache, file), ...blocksGiven(cache, file)].entries())
        if (!isHere) cache.put(file, i % file.count, file.plain(i % file.count));
    expect(gives(cache, file)).toBe(true);
    expect([...cache.prepareWhole(file)].length).toBeLessThanOrEqual(2 * file.count);
    const whole = cache.openWhole(file)!;
    expect(readFileSync(whole.descriptor).equals(file.bytes)).toBe(true);
    whole.close();
  }
}

test('after a power cut, whatever is left of the files', () => {
  fc.assert(
    fc.property(missingBlocks, harmsOf(losses), (missing, list) => {
      const { cache, directory } = emptyCache();
      fill(cache, missing);
      cache.close();
      harm(directory, list);
      expectRight(threadWith(directory));
      rmSync(directory, { recursive: true, force: true });
    }),
    { numRuns: runs },
  );
});

test('when files are harmed while they are used', () => {
  fc.assert(
    fc.property(missingBlocks, harmsOf(harms), (missing, list) => {
      const used = emptyCache();
      const { cache, directory, shared } = used;
      fill(cache, missing);
      const reader = threadWith(directory, shared);
      for (const file of files) {
        blocksGiven(reader.cache, file);
        blocksGiven(cache, file);
      }
      harm(directory, list);
      expectRight(reader);
      expectRight(used);
      for (const each of [cache, reader.cache]) each.close();
      rmSync(directory, { recursive: true, force: true });
    }),
    { numRuns: runs },
  );
});

test('with any bytes in the place of a map', () => {
  const [file] = files;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, keepsStart) => {
      const { cache, directory } = emptyCache();
      cache.put(file!, 1, file!.plain(1));
      const path = placeOf(directory, file!, '.map');
      const map = readFileSync(path);
      const name = path.match(/(\w+)\.map$/)![1]!;
      expect(parseMap(map, name)?.flags).toEqual(Buffer.of(0, 1, 0));
      const changed = keepsStart ? Buffer.concat([map.subarray(0, -3), bytes]) : Buffer.from(bytes);
      const parsed = parseMap(changed, name);
      expect(parsed?.size).toBe(keepsStart && bytes.length === 3 ? file!.size : undefined);
      writeFileSync(path, changed);
      for (const each of [threadWith(directory).cache, cache]) {
        blocksGiven(each, file!);
        putAll(each, file!);
        expect(gives(each, file!)).toBe(true);
        each.close();
      }
      rmSync(directory, { recursive: true, force: true });
    }),
    { numRuns: runs },
  );
});

test('what is found wrong is taken out of the cache', () => {
  fc.assert(
    fc.property(fc.nat({ max: files.length - 2 }), place, (which, at) => {
      const { cache, directory } = emptyCache();
      const file = files[which]!;
      putAll(cache, file);
      const path = placeOf(directory, file);
      harms['flips a bit']!(path, at, 0.5);
      const given = blocksGiven(cache, file);
      expect(given.filter((isHere) => !isHere)).toHaveLength(1);
      for (const each of [cache, threadWith(directory).cache])
        expect(Array.from({ length: file.count }, (_, i) => each.has(file, i))).toEqual(given);
      expect(existsSync(path)).toBe(false);
      rmSync(directory, { recursive: true, force: true });
    }),
    { numRuns: runs },
  );
});
