import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryStore } from '../memory.ts';
import { blockOf, someBlocks } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { latencyBounds, Meter, MeteredStore } from './meter.ts';

const { id, blob } = blockOf('a block');

function metered(...rules: readonly string[]) {
  const clock = new TestClock();
  const meter = new Meter(clock);
  const faulty = new FaultStore(new MemoryStore(), { rules: rules.map(parseFaultRule), clock });
  return { clock, meter, store: new MeteredStore(faulty, meter) };
}

test('questions, their ends and the bytes of blocks are counted by the way of asking', async () => {
  const { store, meter } = metered('get:error=timeout:nth=3');
  await store.put(id, blob);
  await store.get(id);
  await store.get(someBlocks(1)[0]!.id).catch(() => {});
  await store.get(id).catch(() => {});
  await store.has(id);
  for await (const _ of store.list());
  await store.delete(id);
  const { get, put, has, list, delete: deleted } = meter.snapshot();
  expect(put).toMatchObject({ outcomes: { done: 1 }, bytes: blob.length, underway: 0 });
  expect(get).toMatchObject({ outcomes: { done: 1, 'not-found': 1, timeout: 1 }, bytes: blob.length });
  for (const each of [has, list, deleted]) expect(each).toMatchObject({ outcomes: { done: 1 }, bytes: 0 });
});

test('a question counts as under way until it ends, and then by how long it took', async () => {
  const { clock, store, meter } = metered('has:delay=7ms:nth=1', 'has:delay=1m:nth=2');
  const first = store.has(id);
  await setImmediate();
  expect(meter.snapshot().has).toMatchObject({ underway: 1, outcomes: {} });
  await clock.drive(first);
  await clock.drive(store.has(id));
  const { underway, milliseconds, latencies } = meter.snapshot().has;
  expect({ underway, milliseconds }).toEqual({ underway: 0, milliseconds: 60_007 });
  expect(latencies[latencyBounds.indexOf(10)]).toBe(1);
  expect(latencies.at(-1)).toBe(1);
  expect(latencies.length).toBe(latencyBounds.length + 1);
});

test('who gives up is told from what fails', async () => {
  const { store, meter } = metered('get:hang');
  const stop = new AbortController();
  const got = store.get(id, stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(got).rejects.toThrow('told to stop');
  const broken = Object.assign(new MemoryStore(), {
    get: async () => {
      throw new TypeError('a mistake');
    },
  });
  await expect(new MeteredStore(broken, meter).get(id)).rejects.toThrow('a mistake');
  expect(meter.snapshot().get.outcomes).toEqual({ aborted: 1, error: 1 });
});

test('a snapshot is a copy that can be written as JSON', async () => {
  const { store, meter } = metered();
  const before = meter.snapshot();
  await store.put(id, blob);
  expect(before.put.outcomes).toEqual({});
  expect(JSON.parse(JSON.stringify(meter.snapshot()))).toEqual(meter.snapshot());
});
