import { expect, test } from 'vitest';
import { MemoryStore } from '../memory.ts';
import type { Store } from '../store.ts';
import { blockOf, someBlocks, type TestBlock } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';

const blocks = someBlocks(200);
const [block, other] = blocks as [TestBlock, TestBlock];

async function faulty(texts: readonly string[], seed = 0, held: readonly TestBlock[] = blocks) {
  const memory = new MemoryStore();
  for (const { id, blob } of held) await memory.put(id, blob);
  const clock = new TestClock();
  return { memory, clock, store: new FaultStore(memory, { rules: texts.map(parseFaultRule), seed, clock }) };
}

/** Which of the blocks fail. */
async function failing(store: Store, asked: readonly TestBlock[] = blocks): Promise<string[]> {
  const results = await Promise.allSettled(asked.map(({ id }) => store.get(id)));
  return asked.filter((_, index) => results[index]!.status === 'rejected').map(({ id }) => id);
}

test.each([
  ['get:error', { operation: 'get', effect: { name: 'error', kind: 'unavailable' } }],
  [
    'any:error=timeout:0.1',
    { operation: 'any', effect: { name: 'error', kind: 'timeout' }, probability: 0.1 },
  ],
  ['put:delay=50ms', { operation: 'put', effect: { name: 'delay', milliseconds: 50 } }],
  ['get:flip:nth=3:id=0f', { operation: 'get', effect: { name: 'flip' }, nth: 3, id: '0f' }],
  ['list:hang:first=2', { operation: 'list', effect: { name: 'hang' }, first: 2 }],
  ['put:wrong:1', { operation: 'put', effect: { name: 'wrong' }, probability: 1 }],
])('the rule %s', (text, rule) => {
  expect(parseFaultRule(text)).toEqual(rule);
});

test.each([
  '',
  'get',
  'grab:error',
  'get:explode',
  'get:error=bad',
  'put:delay',
  'put:delay=50',
  'get:flip=1',
  'has:flip',
  'any:truncate',
  'get:error:1.5',
  'get:error:-1',
  'get:error:nth=0',
  'get:error:id=XY',
  'get:error:sometimes',
])('the rule %j is a usage error with a hint', (text) => {
  expect(() => parseFaultRule(text)).toThrow(
    expect.objectContaining({ kind: 'usage', hint: expect.anything() }),
  );
});

test('without rules nothing goes wrong', async () => {
  const { store } = await faulty([]);
  expect(await failing(store)).toEqual([]);
});

test('a probability strikes about as often as it says, and equal seeds strike the same', async () => {
  const strikes = async (seed: number) => failing((await faulty(['get:error:0.3'], seed)).store);
  const first = await strikes(7);
  expect(first.length).toBeGreaterThan(30);
  expect(first.length).toBeLessThan(90);
  expect(await strikes(7)).toEqual(first);
  expect(await strikes(8)).not.toEqual(first);
});

test('the order of the questions does not change what a probability strikes', async () => {
  const forwards = await failing((await faulty(['get:error:0.3'])).store);
  const backwards = await failing((await faulty(['get:error:0.3'])).store, blocks.toReversed());
  expect(backwards.toReversed()).toEqual(forwards);
});

test('the same block asked for again is another matter', async () => {
  const { store } = await faulty(['get:error:0.5']);
  const same = Array<TestBlock>(100).fill(block);
  const failed = (await failing(store, same)).length;
  expect(failed).toBeGreaterThan(20);
  expect(failed).toBeLessThan(80);
});

test('a rule can be for one question, for the first ones, and for some blocks', async () => {
  const five = Array<TestBlock>(5).fill(block);
  const pattern = async (rule: string) => {
    const { store } = await faulty([rule]);
    const ends: string[] = [];
    for (const { id } of five)
      ends.push(
        await store.get(id).then(
          () => '.',
          () => 'x',
        ),
      );
    return ends.join('');
  };
  expect(await pattern('get:error:nth=3')).toBe('..x..');
  expect(await pattern('get:error:first=2')).toBe('xx...');
  expect(await pattern(`get:error:id=${block.id.slice(0, 4)}`)).toBe('xxxxx');
  expect(await pattern(`get:error:id=${other.id.slice(0, 4)}`)).toBe('.....');
  expect(await pattern('put:error')).toBe('.....');
});

test('an error has the kind that was asked for, and says that it was injected', async () => {
  const { store } = await faulty(['any:error=denied']);
  const refusal = { kind: 'denied', message: expect.stringContaining('injected') };
  for (const asked of [
    store.get(block.id),
    store.put(block.id, block.blob),
    store.has(block.id),
    store.delete(block.id),
    store.claim(block.id),
  ])
    await expect(asked).rejects.toMatchObject(refusal);
  await expect(store.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
});

test('a delay delays', async () => {
  const { store, clock } = await faulty(['get:delay=50ms', 'get:delay=1s:nth=2']);
  await clock.drive(store.get(block.id));
  expect(clock.now()).toBe(50);
  await clock.drive(store.get(block.id));
  expect(clock.now()).toBe(1100);
});

test('what hangs ends only with the signal', async () => {
  const { store } = await faulty(['get:hang']);
  const stop = new AbortController();
  const got = store.get(block.id, stop.signal);
  expect(await Promise.race([got, Promise.resolve('nothing')])).toBe('nothing');
  stop.abort(new Error('told to stop'));
  await expect(got).rejects.toThrow('told to stop');
});

test('truncation shortens, a flip changes one bit, and both do so each time alike', async () => {
  const large = blockOf(Buffer.alloc(10_000, 'large '));
  const damage = async (rule: string) => (await faulty([rule], 1, [large])).store.get(large.id);
  const short = await damage('get:truncate');
  expect(short.length).toBeLessThan(large.blob.length);
  expect(Buffer.compare(short, large.blob.subarray(0, short.length))).toBe(0);
  const flipped = await damage('get:flip');
  const bits = [...flipped].map(
    (byte, index) => (byte ^ large.blob[index]!).toString(2).replaceAll('0', '').length,
  );
  expect(bits.reduce((sum, count) => sum + count)).toBe(1);
  expect(await damage('get:flip')).toEqual(flipped);
  expect(await damage('get:truncate')).toEqual(short);
});

test('a wrong block is another one, whole in itself', async () => {
  const { store } = await faulty(['get:wrong'], 0, [block, other]);
  expect(await store.get(block.id)).toEqual(other.blob);
  expect(await store.get(other.id)).toEqual(block.blob);
  const alone = await faulty(['get:wrong'], 0, [block]);
  await expect(alone.store.get(block.id)).rejects.toMatchObject({ kind: 'config' });
});

test('damage while putting is kept by the store, and leaves the bytes of the caller alone', async () => {
  const { store, memory } = await faulty(['put:flip'], 0, []);
  const bytes = Uint8Array.from(block.blob);
  await store.put(block.id, bytes);
  expect(bytes).toEqual(block.blob);
  expect(await memory.get(block.id)).not.toEqual(block.blob);
});

test('a store that goes wrong says so in its address', async () => {
  expect((await faulty([])).store.address).toBe('fault+memory:');
});
