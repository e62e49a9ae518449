import { expect, test } from 'vitest';
import { MemoryStore } from '../memory.ts';
import { someBlocks, type TestBlock } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { Meter, MeteredStore } from './meter.ts';
import { TimeoutStore } from './timeout.ts';

const [block, other] = someBlocks(2) as [TestBlock, TestBlock];
const { id, blob } = block;

async function slow(...rules: readonly string[]) {
  const clock = new TestClock();
  const inner = new FaultStore(new MemoryStore(), { rules: rules.map(parseFaultRule), clock });
  return { clock, inner, store: new TimeoutStore(inner, { timeout: 1000, clock }) };
}

test('what takes too long is a timeout that says what, where and for how long', async () => {
  const { clock, store } = await slow('any:hang');
  const failures = [store.get(id), store.put(id, blob), store.has(id), store.delete(id)].map((asked) =>
    asked.catch((error) => error),
  );
  await clock.advance(1000);
  const [get, put] = await Promise.all(failures);
  for (const failure of await Promise.all(failures)) expect(failure).toMatchObject({ kind: 'timeout' });
  expect(get.message).toBe(`fault+memory: took more than 1.00 s to get block ${id}`);
  expect(put.message).toContain(`to put block ${id}`);
  expect(get.hint).toContain('timeout=');
});

test('what comes in time comes', async () => {
  const { clock, store } = await slow('any:delay=999ms');
  await clock.drive(store.put(id, blob));
  expect(await clock.drive(store.get(id))).toEqual(blob);
  await clock.advance(10_000);
});

test('a store that does not listen to its signal is left behind', async () => {
  const clock = new TestClock();
  const deaf = Object.assign(new MemoryStore(), { get: () => new Promise<never>(() => {}) });
  const got = new TimeoutStore(deaf, { timeout: 1000, clock }).get(id).catch((error) => error);
  await clock.advance(1000);
  expect(await got).toMatchObject({ kind: 'timeout' });
});

test('a store that listens is told to stop', async () => {
  const clock = new TestClock();
  let told: unknown;
  const attentive = Object.assign(new MemoryStore(), {
    get: (_: string, signal?: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal!.addEventListener('abort', () => {
          told = signal!.reason;
          reject(told);
        });
      }),
  });
  const got = new TimeoutStore(attentive, { timeout: 1000, clock }).get(id).catch((error) => error);
  await clock.advance(1000);
  expect(await got).toMatchObject({ kind: 'timeout' });
  expect(told).toBe(await got);
});

test('the signal of the caller ends the wait for a store that does not listen', async () => {
  const deaf = Object.assign(new MemoryStore(), { get: () => new Promise<never>(() => {}) });
  const stop = new AbortController();
  const got = new TimeoutStore(deaf, { timeout: 1000, clock: new TestClock() }).get(id, stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(got).rejects.toThrow('told to stop');
});

test('a list may take long as a whole, but not between two ids', async () => {
  const { clock, inner } = await slow();
  await inner.put(id, blob);
  await inner.put(other.id, other.blob);
  let pause = 900;
  const halting = Object.assign(new MemoryStore(), {
    list: async function* () {
      for await (const each of inner.list()) {
        await clock.sleep(pause);
        yield each;
      }
    },
  });
  const store = new TimeoutStore(halting, { timeout: 1000, clock });
  const ids = async () => {
    const all: string[] = [];
    for await (const each of store.list()) all.push(each);
    return all;
  };
  expect(await clock.drive(ids())).toEqual([id, other.id]);
  pause = 1100;
  await expect(clock.drive(ids())).rejects.toMatchObject({
    kind: 'timeout',
    message: expect.stringContaining('list'),
  });
});

test('a list that nobody reads to its end is ended', async () => {
  const { inner, clock } = await slow();
  await inner.put(id, blob);
  await inner.put(other.id, other.blob);
  const meter = new Meter(clock);
  const store = new TimeoutStore(new MeteredStore(inner, meter), { timeout: 1000, clock });
  for await (const _ of store.list()) break;
  await clock.advance(0);
  expect(meter.snapshot().list).toMatchObject({ underway: 0, outcomes: { done: 1 } });
});
