import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryStore } from '../memory.ts';
import { blockOf, someBlocks } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { Meter, MeteredStore } from './meter.ts';
import { SingleFlightStore } from './single-flight.ts';

const { id, blob } = blockOf('a block');
const told = new Error('told to stop');

/** Every question takes 10 ms; what is asked of the store behind is counted. */
async function slow(...rules: readonly string[]) {
  const clock = new TestClock();
  const memory = new MemoryStore();
  await memory.put(id, blob);
  const meter = new Meter(clock);
  const delayed = new FaultStore(memory, {
    rules: ['any:delay=10ms', ...rules].map(parseFaultRule),
    clock,
  });
  const store = new SingleFlightStore(new MeteredStore(delayed, meter));
  return { clock, memory, store, figures: () => meter.snapshot() };
}

test('a block that many want at the same time is asked for once, and again for who comes later', async () => {
  const { clock, store, figures } = await slow();
  const got = await clock.drive(Promise.all(Array.from({ length: 20 }, () => store.get(id))));
  for (const each of got) expect(each).toEqual(blob);
  expect(figures().get.outcomes).toEqual({ done: 1 });
  await clock.drive(store.get(id));
  expect(figures().get.outcomes).toEqual({ done: 2 });
});

test('different blocks and different questions do not share', async () => {
  const { clock, store, figures } = await slow();
  const others = someBlocks(3);
  await clock.drive(
    Promise.all([...others.map((other) => store.has(other.id)), store.has(id), store.get(id)]),
  );
  expect(figures().has.outcomes).toEqual({ done: 4 });
  expect(figures().get.outcomes).toEqual({ done: 1 });
});

test('puts of the same block share, and each waits until it is there', async () => {
  const { clock, store, figures } = await slow();
  await clock.drive(Promise.all(Array.from({ length: 20 }, () => store.put(id, blob))));
  expect(figures().put.outcomes).toEqual({ done: 1 });
});

test('a failure is shared too, and not kept', async () => {
  const { clock, store, figures } = await slow('get:error:first=1');
  const failed = Promise.allSettled([store.get(id), store.get(id)]);
  for (const result of await clock.drive(failed)) expect(result.status).toBe('rejected');
  expect(await clock.drive(store.get(id))).toEqual(blob);
  expect(figures().get.outcomes).toEqual({ unavailable: 1, done: 1 });
});

test('one caller who gives up does not end the question for the others', async () => {
  const { clock, store, figures } = await slow();
  const stop = new AbortController();
  const first = store.get(id, stop.signal);
  const second = store.get(id);
  await setImmediate();
  stop.abort(told);
  await expect(first).rejects.toBe(told);
  expect(await clock.drive(second)).toEqual(blob);
  expect(figures().get.outcomes).toEqual({ done: 1 });
});

test('when all have given up the question is ended, and who comes then asks anew', async () => {
  const { clock, store, figures } = await slow();
  const stop = new AbortController();
  const both = Promise.allSettled([store.get(id, stop.signal), store.get(id, stop.signal)]);
  await setImmediate();
  stop.abort(told);
  for (const result of await both) expect(result).toMatchObject({ status: 'rejected', reason: told });
  expect(await clock.drive(store.get(id))).toEqual(blob);
  expect(figures().get.outcomes).toEqual({ aborted: 1, done: 1 });
});

test('who asks after a put or a delete does not get an answer from before it', async () => {
  const { clock, store } = await slow();
  const { id: fresh, blob: bytes } = blockOf('another block');
  const before = store.has(fresh);
  const put = store.put(fresh, bytes);
  await clock.drive(Promise.all([before, put]));
  const stale = store.has(fresh);
  const removal = store.delete(fresh);
  const after = removal.then(() => store.has(fresh));
  const again = removal.then(() => store.get(fresh).catch((error) => error.kind));
  expect(await clock.drive(Promise.all([stale, after, again]))).toEqual([true, false, 'not-found']);
});

test('a put that comes during a delete is no part of a put before it', async () => {
  const { clock, store, figures } = await slow();
  await clock.drive(Promise.all([store.put(id, blob), store.delete(id), store.put(id, blob)]));
  expect(figures().put.outcomes).toEqual({ done: 2 });
});
