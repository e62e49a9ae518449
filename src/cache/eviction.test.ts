import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { CacheDirectory } from './cache-directory.ts';
import { type Eviction, evict } from './evict.ts';
import { blocksGiven, fileOf, gives, placeOf, putAll, randomFile, type TestFile } from './files.fixture.ts';
import { EncodedRecords, encodeRecords, growth, Journal, parseRecords } from './journal.ts';
import { NameTable, shortName } from './name-table.ts';
import { parsePin, pin, readPins, unpin } from './pins.ts';
import { fileName } from './plain-file.ts';
import { StateLock } from './state-lock.ts';
import { emptyCache, testDirectory, threadWith } from './test-cache.ts';
import { atOnce } from './turn.ts';
import { CacheUpkeep } from './upkeep.ts';
import { secondsNow, Uses } from './uses.ts';

const hour = 3600;

/** Lets a file be as if it had been put so many hours ago. */
function age(directory: string, file: TestFile, hours: number): void {
  for (const path of ['', '.part'].map((ending) => placeOf(directory, file, ending)))
    if (existsSync(path)) utimesSync(path, secondsNow() - hours * hour, secondsNow() - hours * hour);
}

function evictTo(directory: string, target: number): Promise<Eviction> {
  const place = new CacheDirectory(directory);
  return evict(place, new Journal(place), { target, turn: atOnce });
}

const isThere = (directory: string, file: TestFile) =>
  ['', '.part'].some((ending) => existsSync(placeOf(directory, file, ending)));

/** Four files of a MiB that were put 4, 3, 2 and 1 hours ago. */
function fourFiles() {
  const { cache, directory, shared } = emptyCache();
  const files = Array.from({ length: 4 }, () => randomFile(2 * blockSize));
  for (const [i, file] of files.entries()) {
    putAll(cache, file);
    age(directory, file, 4 - i);
  }
  const left = () => files.map((file) => isThere(directory, file));
  return { cache, directory, shared, files, left };
}

/** Bytes on the disk of the maps of two files. */
const maps = 2 * 4096;

/** What is left of four files when two have to go. */
const room = 2.5 * 2 * blockSize;

describe('eviction', () => {
  test('removes what was not used for longest, and says what there was', async () => {
    const { directory, left } = fourFiles();
    const done = await evictTo(directory, room);
    expect(left()).toEqual([false, false, true, true]);
    expect(done.files).toBe(2);
    expect(done.before - done.after).toBeGreaterThanOrEqual(4 * blockSize); // and directories
    expect(done.after).toBeLessThanOrEqual(room);
    expect(new Journal(new CacheDirectory(directory)).pages).toBe(done.after / 4096);
    expect((await evictTo(directory, room)).files).toBe(0);
    await evictTo(directory, 0);
    expect(left()).toEqual([false, false, false, false]);
    expect(readdirSync(join(directory, 'files'))).toEqual([]);
  });

  test('knows what any process has read, and not only written', async () => {
    const { directory, left, files } = fourFiles();
    const other = threadWith(directory);
    const upkeep = CacheUpkeep.start(other.shared, { log: () => {} });
    expect(gives(other.cache, files[0]!)).toBe(true);
    await upkeep.stop();
    await evictTo(directory, room);
    expect(left()).toEqual([true, false, false, true]);
    await evictTo(directory, room / 2);
    expect(left()).toEqual([true, false, false, false]);
  });

  test('of blocks, parts and whole files alike; a part goes with its map', async () => {
    const { cache, directory } = emptyCache();
    const [part, block, whole] = [randomFile(3 * blockSize), randomFile(9000), randomFile(2 * blockSize)];
    cache.put(part, 1, part.plain(1));
    for (const file of [block, whole]) putAll(cache, file);
    for (const [i, file] of [part, block, whole].entries()) age(directory, file, 9 - i);
    const oneLess = async () => evictTo(directory, (await evictTo(directory, 1e12)).after - 1);
    await oneLess();
    expect([part, block, whole].map((file) => isThere(directory, file))).toEqual([false, true, true]);
    expect(existsSync(placeOf(directory, part, '.map'))).toBe(false);
    await oneLess();
    expect([part, block, whole].map((file) => isThere(directory, file))).toEqual([false, false, true]);
    for (const file of [part, block, whole]) {
      putAll(cache, file);
      expect(gives(cache, file)).toBe(true);
    }
  });

  test('never removes what is pinned, and says how much that is', async () => {
    const { directory, files, left } = fourFiles();
    const place = new CacheDirectory(directory);
    expect(pin(place, '/a.fl', [files[0]!])).toBe(3);
    expect(pin(place, '/b.fl', [files[1]!, randomFile(10)])).toBe(4);
    expect(readPins(place).map(({ flist }) => flist)).toEqual(['/a.fl', '/b.fl']);
    expect((await evictTo(directory, room)).files).toBe(2);
    expect(left()).toEqual([true, true, false, false]);
    expect(await evictTo(directory, 0)).toMatchObject({ files: 0, kept: 4 * blockSize + maps });
    expect([unpin(place, '/a.fl'), unpin(place, '/a.fl')]).toEqual([true, false]);
    pin(place, '/b.fl', []);
    expect((await evictTo(directory, 0)).files).toBe(2);
  });

  test('never removes what a living process holds open', async () => {
    const { directory, files, left, cache } = fourFiles();
    const open = cache.openWhole(files[0]!)!;
    open.closeDescriptor();
    const another = cache.openWhole(files[1]!)!;
    expect(await evictTo(directory, 0)).toMatchObject({ files: 2, kept: 4 * blockSize + maps });
    expect(left()).toEqual([true, true, false, false]);
    open.close();
    expect((await evictTo(directory, 0)).files).toBe(1);
    expect(left()).toEqual([false, true, false, false]);
    expect(cache.openWhole(files[1]!)).toBeDefined();
    another.close();
    cache.close();
    expect((await evictTo(directory, 0)).files).toBe(1);
  });

  test('spares what is held without having been opened here', async () => {
    const { directory, files, left, cache } = fourFiles();
    const held = cache.hold(files[0]!);
    await evictTo(directory, 0);
    expect(left()).toEqual([true, false, false, false]);
    held.close();
    held.close();
    expect(cache.held).toBe(0);
    await evictTo(directory, 0);
    expect(left()).toEqual([false, false, false, false]);
  });

  test('pays no attention to what a dead process held', async () => {
    const { directory, files, left } = fourFiles();
    const child = spawn('sleep', ['100']);
    await once(child, 'spawn');
    mkdirSync(join(directory, 'state/held'), { recursive: true });
    const [, started, boot] = holderName(child.pid!);
    const file = join(directory, 'state/held', `${child.pid}-${started}-${boot}-0`);
    writeFileSync(file, Buffer.from(fileName(files[0]!), 'hex'));
    writeFileSync(
      join(directory, 'state/held', `${child.pid}-1-${boot}-0`),
      Buffer.from(fileName(files[1]!), 'hex'),
    );
    await evictTo(directory, 0);
    expect(left()).toEqual([true, false, false, false]);
    child.kill('SIGKILL');
    await once(child, 'close');
    await evictTo(directory, 0);
    expect(left()).toEqual([false, false, false, false]);
    expect(readdirSync(join(directory, 'state/held'))).toEqual([]);
  });

  test('removes what interrupted writes left, when it is old, and nothing that is not of the cache', async () => {
    const { directory, files } = fourFiles();
    const [shard] = [dirname(placeOf(directory, files[0]!))];
    const leftovers = [
      join(shard, '.x.1.0.0.tmp'),
      join(shard, `${fileName(files[0]!).slice(0, -4)}beef.map`),
    ];
    const others = [
      join(shard, 'a file of somebody'),
      join(directory, 'files/note'),
      join(directory, 'note'),
    ];
    const all = [...leftovers, ...others];
    for (const path of all) writeFileSync(path, 'x');
    symlinkSync('/etc', join(shard, 'link'));
    await evictTo(directory, 1e9);
    expect(all.map((path) => existsSync(path))).toEqual(all.map(() => true));
    for (const path of all) utimesSync(path, 1, 1);
    await evictTo(directory, 1e9);
    expect(leftovers.map((path) => existsSync(path))).toEqual([false, false]);
    await evictTo(directory, 0);
    for (const path of [...others, join(shard, 'link'), '/etc/passwd']) expect(existsSync(path)).toBe(true);
  });

  test('beside readers and writers makes misses and nothing else', async () => {
    const { cache, directory, shared, files } = fourFiles();
    const [reader, stranger] = [threadWith(directory, shared).cache, threadWith(directory).cache];
    const missed = { count: 0 };
    let ended = false;
    const work = async () => {
      for (let round = 0; !ended; round++) {
        for (const each of [reader, stranger])
          for (const file of files) {
            // Wrong bytes throw.
            for (const [i, given] of blocksGiven(each, file).entries()) {
              if (given) continue;
              missed.count++;
              (round % 2 === 0 ? cache : each).put(file, i, file.plain(i));
            }
            each.openWhole(file)?.close();
          }
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const working = work();
    const place = new CacheDirectory(directory);
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    for (let i = 0; i < 6; i++) await evict(place, new Journal(place), { target: (i % 3) * blockSize, turn });
    ended = true;
    await working;
    expect(missed.count).toBeGreaterThan(8);
    for (const file of files) {
      putAll(cache, file);
      expect(gives(stranger, file)).toBe(true);
    }
  });
});

/** As the kernel tells it: pid, start and boot. */
function holderName(pid: number): [string, string, string] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
  return [`${pid}`, stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!, boot];
}

describe('the upkeep of a mount', () => {
  function limited(size: number, directory = join(testDirectory(), 'cache')) {
    const thread = threadWith(directory);
    const lines: string[] = [];
    const upkeep = CacheUpkeep.start(thread.shared, { size, log: (line) => lines.push(line) });
    onTestFinished(() => upkeep.stop());
    return { ...thread, directory, upkeep, lines };
  }

  const sizeOf = async (directory: string) => (await evictTo(directory, 1e12)).after;

  test('keeps the cache to its size, with several processes, and nothing goes in that has no room', async () => {
    const size = 20 * blockSize;
    const one = limited(size);
    await one.upkeep.settled();
    const other = limited(size, one.directory);
    for (let i = 0; i < 40; i++) {
      for (const { cache } of [one, other]) putAll(cache, randomFile(2 * blockSize));
      for (const { upkeep } of [one, other]) upkeep.look();
      for (const { upkeep } of [one, other]) await upkeep.settled();
      // What one process adds the other learns at its next look.
      expect(await sizeOf(one.directory)).toBeLessThanOrEqual(size + 2 * blockSize);
    }
    expect(await sizeOf(one.directory)).toBeGreaterThan(10 * blockSize);
    expect([...one.lines, ...other.lines]).toEqual([]);
  });

  test('without a look meanwhile puts no more than there is room for', async () => {
    const size = 20 * blockSize;
    const { cache, directory, upkeep } = limited(size);
    await upkeep.settled();
    for (let i = 0; i < 30; i++) putAll(cache, randomFile(blockSize));
    // New directories are only counted later.
    expect(await sizeOf(directory)).toBeLessThan(size + blockSize / 2);
    upkeep.look();
    await upkeep.settled();
    const file = randomFile(blockSize);
    putAll(cache, file);
    expect(gives(cache, file)).toBe(true);
  });

  test('says once that what is pinned is more than the cache may have', async () => {
    const { directory, files } = fourFiles();
    pin(new CacheDirectory(directory), '/a.fl', files);
    const { upkeep, lines } = limited(blockSize, directory);
    for (let i = 0; i < 3; i++) {
      await upkeep.settled();
      upkeep.look();
    }
    expect(lines).toEqual([expect.stringContaining('are pinned or in use')]);
  });

  test('counts what is there already, and what others add and do not tell', async () => {
    const { directory } = fourFiles();
    const { upkeep } = limited(room, directory);
    await upkeep.settled();
    expect(await sizeOf(directory)).toBeLessThanOrEqual(room);
  });

  test('does nothing, and harms nothing, where the cache cannot be written', async () => {
    const root = testDirectory();
    writeFileSync(join(root, 'file'), '');
    const { upkeep, cache, lines } = limited(1e6, join(root, 'file/cache'));
    putAll(cache, randomFile(10));
    upkeep.look();
    await upkeep.settled();
    await upkeep.stop();
    expect(lines.length).toBeLessThanOrEqual(1);
  });
});

describe('what processes tell each other', () => {
  test('is read as it was written, whatever else is in the file', () => {
    const record = fc.record({
      name: fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)),
      time: fc.nat(0xffffffff),
      pages: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    });
    fc.assert(
      fc.property(fc.array(record), fc.uint8Array({ maxLength: 15 }), (records, tail) => {
        const bytes = Buffer.concat([encodeRecords(records), tail]);
        expect([...parseRecords(bytes)]).toEqual(records);
      }),
    );
    const directory = testDirectory();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        mkdirSync(join(directory, 'state/journal'), { recursive: true });
        writeFileSync(join(directory, 'state/journal/uses'), bytes);
        const journal = new Journal(new CacheDirectory(directory));
        expect(journal.uses().size).toBeLessThanOrEqual(6);
        journal.append([growth(5), { name: [1, 2], time: secondsNow(), pages: 0 }]);
        expect(journal.uses().get([1, 2])).toBeGreaterThan(0);
        journal.replace(7, new EncodedRecords());
        expect(journal.pages).toBe(7);
        journal.append([growth(-2)]);
        expect(journal.pages).toBe(5);
        expect(new Journal(new CacheDirectory(directory)).pages).toBe(5);
      }),
    );
  });

  test('a pin is read as it was written, and nothing else is one', () => {
    const directory = new CacheDirectory(testDirectory());
    const files = [fileOf(Buffer.from('a')), randomFile(2 * blockSize)];
    pin(directory, '/with "quotes"\n and lines.fl', files);
    const [read] = readPins(directory);
    expect(read!.flist).toBe('/with "quotes"\n and lines.fl');
    expect(read!.names.length).toBe(4 * 32);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const parsed = parsePin(Buffer.from(bytes));
        if (parsed !== undefined) expect(parsed.names.length % 32).toBe(0);
      }),
    );
  });

  test('uses are kept for the names that were used last', () => {
    const { shared } = emptyCache();
    const uses = new Uses(shared.uses);
    const ids = Array.from({ length: 1000 }, (_, i) => fileName(fileOf(Buffer.from(`${i}`))));
    for (const [i, id] of ids.entries()) uses.note(id, i + 1);
    for (const [i, id] of ids.entries()) uses.note(id, i + 1001);
    const noted = new NameTable();
    for (const { name, time } of uses.since(1500)) noted.set(name, time);
    expect(noted.size).toBeGreaterThan(480);
    for (let i = 499; i < 1000; i++) expect([0, i + 1001]).toContain(noted.get(shortName(ids[i]!)));
    expect(noted.get(shortName(ids[0]!))).toBe(0);
  });

  test('a lock is taken by one, and from one who is silent', () => {
    const path = testDirectory();
    const directory = new CacheDirectory(path);
    const lock = StateLock.take(directory, 'evict')!;
    expect(StateLock.take(directory, 'evict')).toBeUndefined();
    expect(StateLock.take(directory, 'scrub')).toBeDefined();
    lock.release();
    const again = StateLock.take(directory, 'evict')!;
    utimesSync(join(path, 'state/locks/evict'), 1, 1);
    again.renew();
    expect(StateLock.take(directory, 'evict')).toBeUndefined();
    utimesSync(join(path, 'state/locks/evict'), 1, 1);
    expect(StateLock.take(directory, 'evict')).toBeDefined();
    expect(statSync(join(path, 'state/locks/evict')).size).toBeGreaterThan(0);
  });
});
