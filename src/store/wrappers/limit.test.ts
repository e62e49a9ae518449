import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryStore } from '../memory.ts';
import { noiseBlock, someBlocks, type TestBlock } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { LimitedStore } from './limit.ts';
import { Meter, MeteredStore } from './meter.ts';

const blocks = someBlocks(10);

test('no more questions than allowed are asked at one time, and all in the end', async () => {
  const clock = new TestClock();
  const meter = new Meter(clock);
  const rules = ['any:delay=10ms'].map(parseFaultRule);
  const slow = new MeteredStore(new FaultStore(new MemoryStore(), { rules, clock }), meter);
  const store = new LimitedStore(slow, { concurrency: 3, clock });
  const puts = Promise.all(blocks.map(({ id, blob }) => store.put(id, blob)));
  const gets = Promise.all(blocks.map(({ id }) => store.has(id)));
  const underway = () => Object.values(meter.snapshot()).reduce((sum, each) => sum + each.underway, 0);
  await setImmediate();
  const seen: number[] = [];
  for (let step = 0; step < 7; step++) {
    seen.push(underway());
    await clock.advance(10);
  }
  expect(seen).toEqual([3, 3, 3, 3, 3, 3, 2]);
  await puts;
  await gets;
});

test('a caller who stops waiting for his turn is not asked for', async () => {
  const clock = new TestClock();
  const meter = new Meter(clock);
  const rules = ['any:delay=10ms'].map(parseFaultRule);
  const slow = new FaultStore(new MeteredStore(new MemoryStore(), meter), { rules, clock });
  const store = new LimitedStore(slow, { concurrency: 1, clock });
  const first = store.has(blocks[0]!.id);
  const stop = new AbortController();
  const second = store.has(blocks[1]!.id, stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(second).rejects.toThrow('told to stop');
  await clock.drive(first);
  expect(meter.snapshot().has.outcomes).toEqual({ done: 1 });
});

async function paced(bandwidth: number, held: readonly TestBlock[] = []) {
  const clock = new TestClock();
  const memory = new MemoryStore();
  for (const { id, blob } of held) await memory.put(id, blob);
  return { clock, store: new LimitedStore(memory, { bandwidth, clock }) };
}

const heavy = Array.from({ length: 20 }, () => noiseBlock(50_000));

test('puts move as many bytes per second as allowed', async () => {
  const { clock, store } = await paced(100_000);
  await clock.drive(Promise.all(heavy.map(({ id, blob }) => store.put(id, blob))));
  // 1 MB at 100 kB/s; the last block begins when those before it are paid for.
  expect(clock.now()).toBe(9500);
});

test('gets move as many bytes per second as allowed, once the size of a block is known', async () => {
  const { clock, store } = await paced(100_000, heavy);
  for (const { id } of heavy) await clock.drive(store.get(id));
  expect(clock.now()).toBe(9500);
});

test('both directions share the bandwidth', async () => {
  const { clock, store } = await paced(100_000, heavy);
  for (const { id, blob } of heavy.slice(0, 10)) {
    await clock.drive(store.get(id));
    await clock.drive(store.put(id, blob));
  }
  expect(clock.now()).toBe(9500);
});

test('time in which nothing is moved is not saved up', async () => {
  const { clock, store } = await paced(100_000);
  await clock.advance(60_000);
  await clock.drive(Promise.all(heavy.map(({ id, blob }) => store.put(id, blob))));
  expect(clock.now()).toBe(69_500);
});

test('what was not moved in the end costs nothing', async () => {
  const { clock, store } = await paced(100_000);
  for (const { id } of heavy)
    await expect(clock.drive(store.get(id))).rejects.toMatchObject({ kind: 'not-found' });
  const [first, second] = heavy as [TestBlock, TestBlock];
  await clock.drive(store.put(first.id, first.blob));
  expect(clock.now()).toBe(0);
  const stop = new AbortController();
  const put = store.put(second.id, second.blob, stop.signal);
  await setImmediate();
  stop.abort(new Error('told to stop'));
  await expect(put).rejects.toThrow('told to stop');
  await clock.drive(store.put(second.id, second.blob));
  expect(clock.now()).toBe(500);
});

test('asking whether a block is there, and listing, wait for no bandwidth', async () => {
  const { clock, store } = await paced(1, heavy);
  const [first, second] = heavy as [TestBlock, TestBlock];
  await store.put(first.id, first.blob);
  expect(await store.has(first.id)).toBe(true);
  await store.delete(second.id);
  let count = 0;
  for await (const _ of store.list()) count++;
  expect(count).toBe(19);
  expect(clock.now()).toBe(0);
});
