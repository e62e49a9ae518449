import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { Failure } from '../../base/errors.ts';
import { shareCache } from '../../cache/shared-cache.ts';
import { blockSize, initBlockCodec } from '../../flist/block/block-codec.ts';
import type { Errno } from '../../fuse/protocol.ts';
import type { Store } from '../../store/store.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { Statistics } from '../statistics.ts';
import { BlockKeeper } from './block-keeper.ts';
import { BlockMemory } from './block-memory.ts';
import type { BlockOrder } from './block-thread.ts';
import type { BlockThreads, BlockThreadsOptions } from './block-threads.ts';
import { Scheduler, type SchedulerOptions } from './scheduler.ts';
import { StoredBlocks } from './stored-blocks.ts';
import { type TestFiles, testFiles } from './test-columns.ts';

const { EINTR, EIO, ETIMEDOUT } = constants.errno;

beforeAll(initBlockCodec);

const big = randomBytes(5 * blockSize + 1000);
const small = Array.from({ length: 40 }, (_, i) => Buffer.from(`small file ${i}`));

/** Questions to a store that are answered when the test says so. */
class Gate {
  readonly asked: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #isOpen = false;

  pass(): Promise<void> {
    return this.#isOpen ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  open(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

interface Setting {
  readonly files: TestFiles;
  /** In place of what the store gives. */
  readonly get?: (id: string, blob: () => Promise<Uint8Array>) => Promise<Uint8Array>;
  readonly options?: Partial<SchedulerOptions>;
  readonly cached?: boolean;
  /** Milliseconds that the store has, where READs have less. */
  readonly patience?: number;
}

/** A scheduler without threads; READs of it are promises of their answers. */
async function start({ files, get = (_, blob) => blob(), options = {}, cached = false, patience }: Setting) {
  const asked: string[] = [];
  const lines: string[] = [];
  const store: Store = Object.create(files.store, {
    address: { value: 'test:store' },
    get: {
      value: (id: string) => {
        asked.push(id);
        return get(id, () => files.store.get(id));
      },
    },
  });
  const statistics = Statistics.create([store.address]);
  const waiting = new Map<bigint, (answer: Buffer | Errno) => void>();
  const log = (line: string) => void lines.push(line);
  const deadline = options.deadline ?? 20_000;
  const cache = cached ? shareCache(await testDirectory()) : undefined;
  const keeper = cache && new BlockKeeper(cache, files.columns, log);
  const scheduler = new Scheduler({
    columns: files.columns,
    memory: BlockMemory.share(),
    stored: new StoredBlocks({ store, deadline: patience ?? deadline, log }),
    keeper,
    directories: [],
    startThreads: undefined,
    deadline,
    counter: statistics.counter(0),
    onGiven: () => {},
    reply: (unique, answer) => {
      const settle = waiting.get(unique)!;
      waiting.delete(unique);
      settle(typeof answer === 'number' ? answer : Buffer.concat(answer));
    },
    ...options,
  });
  onTestFinished(() => scheduler.close());
  let unique = 0n;
  const read = (row: number, offset: number, size: number): Promise<Buffer | Errno> => {
    const { promise, resolve } = Promise.withResolvers<Buffer | Errno>();
    waiting.set(++unique, resolve);
    scheduler.read(unique, row, offset, size);
    return promise;
  };
  const counters = () => statistics.snapshot().counters;
  return { scheduler, read, asked, lines, counters, keeper, waiting, last: () => unique };
}

test('reads get their bytes, and each block is asked for once however many want it', async () => {
  const files = await testFiles([big]);
  const gate = new Gate();
  const { read, asked } = await start({ files, get: (_, blob) => gate.pass().then(blob) });
  const reads = [
    [0, 100],
    [blockSize - 10, 20],
    [0, 2 * blockSize],
    [5 * blockSize, 5000],
    [100, blockSize],
  ] as const;
  const answers = reads.map(([offset, size]) => read(1, offset, size));
  gate.open();
  for (const [index, [offset, size]] of reads.entries())
    expect(big.subarray(offset, offset + size).equals((await answers[index]) as Buffer)).toBe(true);
  expect(asked.length).toBe(new Set(asked).size);
});

test('equal blocks of different files are one block; zeros are asked of nobody', async () => {
  const content = randomBytes(1000);
  const files = await testFiles([content, Buffer.alloc(2 * blockSize), content]);
  const gate = new Gate();
  const { read, asked } = await start({ files, get: (_, blob) => gate.pass().then(blob) });
  const answers = [read(1, 0, 4096), read(3, 0, 4096), read(2, 10, 2 * blockSize)];
  gate.open();
  const [first, second, zeros] = (await Promise.all(answers)) as Buffer[];
  expect(first!.equals(content) && second!.equals(content)).toBe(true);
  expect(zeros!.equals(Buffer.alloc(2 * blockSize - 10))).toBe(true);
  expect(asked).toEqual([files.ids[0]![0]]);
});

test('a file that is read in order is fetched ahead, and each block once', async () => {
  const files = await testFiles([randomBytes(12 * blockSize)]);
  const { read, asked, counters } = await start({ files });
  for (let at = 0; at < 12; at++)
    expect(
      files.contents[0]!.subarray(at * blockSize, (at + 1) * blockSize).equals(
        (await read(1, at * blockSize, blockSize)) as Buffer,
      ),
    ).toBe(true);
  expect(asked.toSorted()).toEqual(files.ids[0]!.toSorted());
  expect(counters()).toMatchObject({ blocksAsked: 2, blocksAhead: 10 });
});

test('what a read got of what was fetched ahead makes room for more, also when it had to wait for the rest', async () => {
  const long = Buffer.alloc(100 * blockSize);
  for (let i = 0; i < 100; i++) long.write(`block ${i}`, i * blockSize);
  const { read, counters } = await start({ files: await testFiles([long]) });
  for (let at = blockSize / 2; at + 2 * blockSize <= long.length; at += 2 * blockSize)
    expect(long.subarray(at, at + 2 * blockSize).equals((await read(1, at, 2 * blockSize)) as Buffer)).toBe(
      true,
    );
  const { blocksAhead, aheadUnused } = counters();
  expect(blocksAhead).toBeGreaterThan(80);
  expect(aheadUnused).toBe(0);
});

test('what is asked for comes before what is fetched ahead, and that before what a list names', async () => {
  const files = await testFiles([...small, big]);
  const gate = new Gate();
  const { scheduler, read, asked } = await start({ files, get: (_, blob) => gate.pass().then(blob) });
  const list = Array.from({ length: 30 }, (_, i) => ({ row: i + 11, index: 0 }));
  const prefetched = scheduler.prefetch(list);
  const begun = asked.length;
  expect(begun).toBeLessThan(30); // a list never takes everything
  const answer = read(1, 0, 100);
  expect(asked.slice(begun)).toEqual([files.ids[0]![0]]);
  gate.open();
  expect(String(await answer)).toBe('small file 0');
  await prefetched;
  expect(asked.slice(0, begun)).toEqual(files.ids.slice(10, 10 + begun).map(([id]) => id));
});

test('a list is fetched in its order into the cache, without what is there, and no faster than it may', async () => {
  const files = await testFiles(small);
  const { scheduler, read, asked, keeper, counters } = await start({ files, cached: true });
  await read(2, 0, 100);
  const started = performance.now();
  await scheduler.prefetch(
    [4, 2, 3, 1].map((row) => ({ row, index: 0 })),
    100,
  );
  expect(asked).toEqual([2, 4, 3, 1].map((row) => files.ids[row - 1]![0]));
  expect(performance.now() - started).toBeGreaterThan(200); // two of 12 bytes before the third
  for (const row of [1, 2, 3, 4]) {
    const bytes = Buffer.alloc(12);
    const block = { row, index: 0, place: files.columns.blockStart[row]!, size: 12 };
    expect(keeper!.readInto(bytes, block, 0)).toBe(true);
    expect(bytes.equals(small[row - 1]!)).toBe(true);
  }
  expect(counters()).toMatchObject({ blocksPrefetched: 3 });
});

test('a damaged block is EIO for who reads it, with one line that names block and store until it is right again', async () => {
  const files = await testFiles([Buffer.from('some bytes'), Buffer.from('other bytes')]);
  let isBad = true;
  const { read, lines } = await start({
    files,
    get: async (id, blob) => {
      const bytes = Buffer.from(await blob());
      if (isBad && id === files.ids[0]![0]) bytes[3]! ^= 1;
      return bytes;
    },
  });
  for (let i = 0; i < 3; i++) expect(await read(1, 0, 100)).toBe(EIO);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(files.ids[0]![0]);
  expect(lines[0]).toContain('test:store');
  expect(String(await read(2, 0, 100))).toBe('other bytes');
  isBad = false;
  expect(String(await read(1, 0, 100))).toBe('some bytes');
});

test('a store that hangs is ETIMEDOUT at the deadline, and works again when it answers', async () => {
  const files = await testFiles([big]);
  let hangs = true;
  const { read, lines, counters } = await start({
    files,
    options: { deadline: 30 },
    get: (_, blob) => (hangs ? new Promise(() => {}) : blob()),
  });
  expect(await read(1, blockSize - 10, 20)).toBe(ETIMEDOUT);
  expect(lines[0]).toContain('test:store did not answer within 30 ms');
  expect(counters()).toMatchObject({ readsFailed: 1, readsLate: 1 });
  hangs = false;
  for (;;) {
    const answer = await read(1, 0, 10); // may still join a question that hangs
    if (typeof answer !== 'number') break;
    expect(answer).toBe(ETIMEDOUT);
  }
});

test('a read that comes late to a question that hangs waits no longer than any other', async () => {
  const files = await testFiles([big]);
  const get = () => new Promise<never>(() => {});
  const { read, asked, lines } = await start({ files, get, options: { deadline: 30 }, patience: 20_000 });
  expect(await Promise.all([read(1, 0, 10), read(1, 5, 10)])).toEqual([ETIMEDOUT, ETIMEDOUT]);
  expect(await read(1, 0, 10)).toBe(ETIMEDOUT);
  expect(asked).toHaveLength(1);
  expect(lines).toHaveLength(1);
});

test('a store that cannot be asked is ETIMEDOUT at once', async () => {
  const files = await testFiles([big]);
  const get = () => Promise.reject(new Failure('unavailable', 'test:store is gone'));
  const { read, lines } = await start({ files, get });
  expect(await read(1, 0, 10)).toBe(ETIMEDOUT);
  expect(lines).toHaveLength(1);
});

test('a read that nobody waits for any more is EINTR; the block comes for the others', async () => {
  const files = await testFiles([big]);
  const gate = new Gate();
  const { scheduler, read, last, asked } = await start({ files, get: (_, blob) => gate.pass().then(blob) });
  const interrupted = read(1, 0, 10);
  scheduler.interrupt(last());
  expect(await interrupted).toBe(EINTR);
  const other = read(1, 0, 10);
  gate.open();
  expect(big.subarray(0, 10).equals((await other) as Buffer)).toBe(true);
  expect(asked).toHaveLength(1);
});

test('more reads of several blocks than there is memory for all get their bytes', async () => {
  const files = await testFiles([randomBytes(60 * blockSize)]);
  const gate = new Gate();
  const { read } = await start({ files, get: (_, blob) => gate.pass().then(blob) });
  const offsets = Array.from({ length: 58 }, (_, i) => i * blockSize + 1000);
  const answers = offsets.map((offset) => read(1, offset, 2 * blockSize));
  gate.open();
  for (const [index, offset] of offsets.entries()) {
    const expected = files.contents[0]!.subarray(offset, offset + 2 * blockSize);
    expect(expected.equals((await answers[index]) as Buffer)).toBe(true);
  }
});

test('what a thread says late of a block that nobody wants any more means no other block', async () => {
  const files = await testFiles(Array.from({ length: 72 }, () => randomBytes(70_000)));
  const shared = BlockMemory.share();
  const memory = new BlockMemory(shared, files.columns);
  const orders: BlockOrder[] = [];
  let tell: BlockThreadsOptions['onResults'] | undefined;
  const { scheduler, read, waiting, last } = await start({
    files,
    options: {
      memory: shared,
      directories: [{ start: 0x00, end: 0xff, root: '/none' }],
      startThreads({ onResults }) {
        tell = onResults;
        const send = (more: readonly BlockOrder[]) => void orders.push(...more);
        const close = async () => {};
        return {
          count: 1,
          isReady: true,
          hasRoom: true,
          send,
          close,
        } as Partial<BlockThreads> as BlockThreads;
      },
    },
  });
  const content = (row: number) => files.contents[row - 1]!;
  const fill = ({ slot, block, replies }: BlockOrder) => {
    content(block.row).copy(memory.bytes(slot));
    memory.publish(slot);
    for (const { unique, start, end } of replies) {
      waiting.get(unique)?.(content(block.row).subarray(start, end));
      waiting.delete(unique);
    }
    memory.unpin(slot);
  };
  const rows = Array.from({ length: 72 }, (_, i) => 72 - i); // backwards, for nothing to be fetched ahead
  for (const row of rows.splice(0, 31)) await read(row, 0, 70_000); // from here on there are threads
  const unwanted = read(rows.shift()!, 0, 100);
  const [late] = orders.splice(0);
  scheduler.interrupt(last());
  expect(await unwanted).toBe(EINTR);
  fill(late!);
  const answers = rows.map((row) => read(row, 0, 70_000)); // as many as there are slots
  tell!([{ slot: late!.slot, from: 'store' }]);
  answers.push(...rows.map((row) => read(row, 0, 70_000)));
  for (let order = orders.shift(); order !== undefined; order = orders.shift()) {
    fill(order);
    tell!([{ slot: order.slot, from: 'store' }]);
  }
  for (const [i, answer] of (await Promise.all(answers)).entries())
    expect(content(rows[i % 40]!).equals(answer as Buffer)).toBe(true);
});

test('the end gives up what is under way, without a word', async () => {
  const files = await testFiles([big]);
  const { scheduler, read, lines, waiting } = await start({ files, get: () => new Promise(() => {}) });
  void read(1, 0, 10);
  await scheduler.close();
  expect(waiting.size).toBe(1);
  expect(lines).toEqual([]);
});
