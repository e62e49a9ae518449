import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../../base/errors.ts';
import { MemoryStore } from '../memory.ts';
import { blockOf, someBlocks } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { Meter, MeteredStore } from './meter.ts';
import { type RetryOptions, RetryStore, withRetries } from './retry.ts';

const { id, blob } = blockOf('a block');

async function faulty(rules: readonly string[], options: RetryOptions = {}) {
  const memory = new MemoryStore();
  await memory.put(id, blob);
  const clock = new TestClock();
  const meter = new Meter(clock);
  const faulty = new FaultStore(memory, { rules: rules.map(parseFaultRule) });
  const store = new RetryStore(new MeteredStore(faulty, meter), { clock, random: () => 1, ...options });
  return { store, clock, asked: () => meter.snapshot() };
}

test.each(['unavailable', 'timeout'])('what fails as %s is asked again until it is there', async (kind) => {
  const { store, clock, asked } = await faulty([`get:error=${kind}:first=3`]);
  expect(await clock.drive(store.get(id))).toEqual(blob);
  expect(asked().get.outcomes).toEqual({ [kind]: 3, done: 1 });
});

test.each([
  'not-found',
  'denied',
  'corrupt',
  'failed',
])('what fails as %s is not asked again', async (kind) => {
  const { store, asked } = await faulty([`get:error=${kind}`]);
  const failure = await store.get(id).catch((error) => error);
  expect(failure).toMatchObject({ kind, message: expect.not.stringContaining('attempt') });
  expect(asked().get.outcomes).toEqual({ [kind]: 1 });
});

test.each<FailureKind>([
  'usage',
  'config',
  'hostile',
  'missing-tool',
  'conflict',
])('a failure of the kind %s is the last word', async (kind) => {
  let attempts = 0;
  const task = async () => {
    attempts++;
    throw new Failure(kind, 'no');
  };
  await expect(withRetries({}, undefined, task)).rejects.toMatchObject({ kind, message: 'no' });
  expect(attempts).toBe(1);
});

test('an error of the program is not asked again', async () => {
  let attempts = 0;
  const task = async () => {
    attempts++;
    throw new TypeError('a mistake');
  };
  await expect(withRetries({}, undefined, task)).rejects.toThrow(new TypeError('a mistake'));
  expect(attempts).toBe(1);
});

test('pauses double up to the longest one', async () => {
  const { store, clock } = await faulty(['get:error'], { attempts: 7, pause: 100, longestPause: 1000 });
  await expect(clock.drive(store.get(id))).rejects.toThrow('after 7 attempts');
  expect(clock.sleeps).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test('half of each pause is left to chance', async () => {
  const chances = [0, 0.5, 1];
  const { store, clock } = await faulty(['get:error'], {
    attempts: 4,
    pause: 100,
    random: () => chances.shift()!,
  });
  await expect(clock.drive(store.get(id))).rejects.toThrow('after 4 attempts');
  expect(clock.sleeps).toEqual([50, 150, 400]);
});

test('the error of the last attempt keeps its kind, its cause and its hint, and says how many there were', async () => {
  const last = new Failure('timeout', 'the store is slow', { cause: 'fog', hint: 'wait' });
  const clock = new TestClock();
  const task = async () => {
    throw last;
  };
  await expect(clock.drive(withRetries({ attempts: 3, clock }, undefined, task))).rejects.toMatchObject({
    kind: 'timeout',
    message: 'the store is slow, after 3 attempts',
    cause: 'fog',
    hint: 'wait',
  });
});

test('the signal of the caller ends a pause', async () => {
  const { store, asked } = await faulty(['get:error'], { attempts: 1000 });
  const stop = new AbortController();
  const got = store.get(id, stop.signal);
  stop.abort(new Error('told to stop'));
  await expect(got).rejects.toThrow('told to stop');
  expect(asked().get.outcomes).toEqual({ unavailable: 1 });
});

test('every kind of question is asked again', async () => {
  const { store, clock } = await faulty(['any:error:nth=1', 'any:error:nth=3', 'any:error:nth=5']);
  expect(await clock.drive(store.has(id))).toBe(true);
  await clock.drive(store.put(id, blob));
  await clock.drive(store.delete(id));
  expect(await clock.drive(store.has(id))).toBe(false);
  expect(clock.sleeps.length).toBe(3);
});

test('a list is asked for again before its first id, and not after it', async () => {
  const { store, clock } = await faulty(['list:error:first=2']);
  const ids = async () => {
    const all: string[] = [];
    for await (const each of store.list()) all.push(each);
    return all;
  };
  expect(await clock.drive(ids())).toEqual([id]);

  const breaking = new MemoryStore();
  await Promise.all(someBlocks(3).map((block) => breaking.put(block.id, block.blob)));
  const whole = breaking.list.bind(breaking);
  breaking.list = async function* () {
    for await (const each of whole()) {
      yield each;
      throw new Failure('unavailable', 'the line broke');
    }
  };
  const seen: string[] = [];
  const broken = async () => {
    for await (const each of new RetryStore(breaking, { clock }).list()) seen.push(each);
  };
  await expect(clock.drive(broken())).rejects.toThrow('the line broke');
  expect(seen.length).toBe(1);
});
