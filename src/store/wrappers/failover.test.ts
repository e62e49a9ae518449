import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../../base/errors.ts';
import { MemoryStore } from '../memory.ts';
import type { Store } from '../store.ts';
import { blockOf, someBlocks, type TestBlock } from '../test-blocks.ts';
import { TestClock } from '../test-clock.ts';
import { Failover, type FailoverOptions, getChecked, type Replica } from './failover.ts';
import { FaultStore } from './fault.ts';
import { parseFaultRule } from './fault-rules.ts';
import { Meter, MeteredStore } from './meter.ts';

const whole = { start: 0x00, end: 0xff, url: 'memory:' };
const { id, blob } = blockOf('a block');
const blocks = someBlocks(40);
const told = new Error('told to stop');

interface Scripted extends Partial<Omit<Replica, 'store'>> {
  readonly name: string;
  readonly faults?: readonly string[];
  /** What it holds; the block by default. */
  readonly holds?: readonly TestBlock[];
}

/** Replicas with names and faults, and how often each was asked. Among equals the first is asked first. */
async function replicas(all: readonly Scripted[], options: FailoverOptions = {}) {
  const clock = new TestClock();
  const notes: string[] = [];
  const members = await Promise.all(
    all.map(async ({ name, faults = [], holds = [{ id, blob }], ...rest }) => {
      const memory = Object.assign(new MemoryStore(), { address: name });
      for (const block of holds) await memory.put(block.id, block.blob);
      const meter = new Meter(clock);
      const rules = faults.map(parseFaultRule);
      const store = new MeteredStore(new FaultStore(memory, { rules, clock }), meter);
      return { memory, meter, replica: { route: whole, store, ...rest } };
    }),
  );
  let chance = 0;
  const store = new Failover(
    members.map(({ replica }) => replica),
    { clock, note: (line) => notes.push(line), random: () => chance++, ...options },
  );
  const asked = () => members.map(({ meter }) => ended(meter.snapshot().get.outcomes));
  return { store, clock, notes, asked, memories: members.map(({ memory }) => memory) };
}

const ended = (outcomes: object) => Object.values(outcomes).reduce((sum: number, each) => sum + each, 0);

const damaged = { id, blob: blockOf('other bytes').blob };

test('each block goes to the stores whose range covers the first byte of its id, both ends included', async () => {
  const [first, second] = [new MemoryStore(), new MemoryStore()];
  const store = new Failover([
    { route: { ...whole, end: 0x7f }, store: first },
    { route: { ...whole, start: 0x7f }, store: second },
  ]);
  const [low, border, high] = ['00', '7f', 'ff'].map((byte) => byte.padEnd(64, '0')) as [
    string,
    string,
    string,
  ];
  for (const each of [low, border, high]) await store.put(each, blob);
  const held = async (store: Store) => Promise.all([low, border, high].map((each) => store.has(each)));
  expect(await held(first)).toEqual([true, true, false]);
  expect(await held(second)).toEqual([false, true, true]);
  const listed: string[] = [];
  for await (const each of store.list()) listed.push(each);
  expect(listed.sort()).toEqual([low, border, high]);
});

test('a block goes to every replica, and counts as held only when all have it', async () => {
  const { store, memories } = await replicas([{ name: 'a:' }, { name: 'b:', holds: [] }]);
  expect(await store.has(id)).toBe(false);
  await store.put(id, blob);
  expect(await memories[1]!.has(id)).toBe(true);
  expect(await store.has(id)).toBe(true);
  await store.delete(id);
  for (const memory of memories) expect(await memory.has(id)).toBe(false);
});

test.each([
  'unavailable',
  'timeout',
  'not-found',
  'denied',
  'corrupt',
])('reading goes on to the next replica after one that answers %s', async (kind) => {
  const { store, asked } = await replicas([{ name: 'a:', faults: [`get:error=${kind}`] }, { name: 'b:' }]);
  expect(await store.get(id)).toEqual(blob);
  expect(asked()).toEqual([1, 1]);
});

test.each(['flip', 'truncate', 'wrong'])('bad content (%s) leads to the next replica', async (effect) => {
  const { store, notes } = await replicas([
    { name: 'a:', faults: [`get:${effect}`], holds: [{ id, blob }, ...blocks] },
    { name: 'b:' },
  ]);
  expect(await store.get(id)).toEqual(blob);
  expect(notes).toEqual([`fault+a: gave bad bytes for block ${id}`, 'fault+a: is asked last for 30.0 s']);
});

test('a check of the caller leads to the next replica too, and gives what it makes of the block', async () => {
  const { store, asked } = await replicas([{ name: 'a:' }, { name: 'b:' }]);
  const seen: number[] = [];
  const check = (bytes: Uint8Array) => {
    seen.push(bytes.length);
    if (seen.length === 1) throw new Failure('corrupt', 'the plain bytes are not right');
    return 'plain';
  };
  expect(await getChecked(store, id, check)).toBe('plain');
  expect(seen).toEqual([blob.length, blob.length]);
  expect(asked()).toEqual([1, 1]);
});

test('a check works on a store without replicas as well', async () => {
  const memory = new MemoryStore();
  await memory.put(id, blob);
  expect(await getChecked(memory, id, (bytes) => bytes.length)).toBe(blob.length);
});

test('an error of the program, in a check or in a store, is no reason to go on', async () => {
  const { store, asked } = await replicas([{ name: 'a:' }, { name: 'b:' }]);
  const check = () => {
    throw new TypeError('a mistake');
  };
  await expect(store.getChecked(id, check)).rejects.toThrow('a mistake');
  expect(asked()).toEqual([1, 0]);
});

test('when all fail each is named with its cause', async () => {
  const { store } = await replicas([
    { name: 'a:', faults: ['get:error'] },
    { name: 'b:', holds: [damaged] },
    { name: 'c:', holds: [] },
  ]);
  const failure = await store.get(id).catch((error) => error);
  expect(failure).toMatchObject({ kind: 'unavailable', message: `no store gives block ${id}` });
  expect(failure.cause).toBe(
    `fault+a:: injected fault (unavailable) in get ${id}; ` +
      `fault+b:: block ${id} is damaged: the stored bytes do not have the digest they are named by; ` +
      `fault+c:: c: has no block ${id}`,
  );
});

test.each<[FailureKind, readonly FailureKind[]]>([
  ['timeout', ['not-found', 'timeout', 'corrupt']],
  ['corrupt', ['not-found', 'corrupt', 'denied']],
  ['denied', ['not-found', 'denied']],
  ['not-found', ['not-found', 'not-found']],
])('%s is what %j come to', async (kind, kinds) => {
  const { store } = await replicas(
    kinds.map((each, index) => ({ name: `${index}:`, faults: [`get:error=${each}`] })),
  );
  await expect(store.get(id)).rejects.toMatchObject({ kind });
});

test('a single store fails in its own words', async () => {
  const { store } = await replicas([{ name: 'a:', faults: ['get:error=denied'] }]);
  await expect(store.get(id)).rejects.toThrow('fault+a:: injected fault (denied)');
});

test('local replicas are asked first, equal ones in random order', async () => {
  const order = [{ name: 'far:' }, { name: 'near:', isLocal: true }, { name: 'near too:', isLocal: true }];
  const first = await replicas(order, { random: () => 0.5 });
  await first.store.get(id);
  expect(first.asked()).toEqual([0, 1, 0]);
  const chances = [0.1, 0.9, 0.2];
  const second = await replicas(order, { random: () => chances.shift()! });
  await second.store.get(id);
  expect(second.asked()).toEqual([0, 0, 1]);
});

test('a replica with bad content is asked last, until its quarantine ends', async () => {
  const { store, clock, asked } = await replicas([
    { name: 'a:', isLocal: true, holds: [damaged, ...blocks] },
    { name: 'b:', holds: [{ id, blob }, ...blocks] },
  ]);
  await store.get(id);
  expect(asked()).toEqual([1, 1]);
  for (const each of blocks) await store.get(each.id);
  expect(asked()).toEqual([1, 41]);
  await clock.advance(30_001);
  await store.get(blocks[0]!.id);
  expect(asked()).toEqual([2, 41]);
});

test('a replica is asked last after errors in a row, and after one more when its quarantine has ended', async () => {
  const { store, clock, asked, notes } = await replicas([
    { name: 'a:', isLocal: true, faults: ['get:error'] },
    { name: 'b:' },
  ]);
  for (let i = 0; i < 10; i++) await store.get(id);
  expect(asked()).toEqual([3, 10]);
  await clock.advance(30_001);
  for (let i = 0; i < 10; i++) await store.get(id);
  expect(asked()).toEqual([4, 20]);
  expect(notes).toEqual(Array(2).fill('fault+a: is asked last for 30.0 s'));
});

test('errors that are not in a row, and blocks that are not there, bring nobody into quarantine', async () => {
  const { store, asked } = await replicas([
    { name: 'a:', isLocal: true, faults: ['get:error:nth=1', 'get:error:nth=2', 'get:error:nth=4'] },
    { name: 'b:', holds: [{ id, blob }, ...blocks] },
  ]);
  for (let i = 0; i < 5; i++) await store.get(id);
  for (const each of blocks) await store.get(each.id);
  expect(asked()[0]).toBe(45);
});

test('a replica in quarantine is still asked when no other has the block', async () => {
  const { store } = await replicas([
    { name: 'a:', isLocal: true, holds: [damaged, blocks[0]!] },
    { name: 'b:' },
  ]);
  await store.get(id);
  expect(await store.get(blocks[0]!.id)).toEqual(blocks[0]!.blob);
});

test('every replica is asked before the first one is asked again', async () => {
  const retries = { attempts: 3, clock: new TestClock(), random: () => 1 };
  const { store, asked } = await replicas([
    { name: 'a:', faults: ['get:error=timeout'], retries },
    { name: 'b:', faults: ['get:error=timeout:nth=1'], retries },
  ]);
  expect(await retries.clock.drive(store.get(id))).toEqual(blob);
  expect(retries.clock.sleeps).toEqual([250]);
  expect(asked()).toEqual([2, 2]);
});

test('after the last attempt the error says how many there were', async () => {
  const retries = { attempts: 3, clock: new TestClock() };
  const faults = ['any:error'];
  const { store } = await replicas([
    { name: 'a:', faults, retries },
    { name: 'b:', faults, retries },
  ]);
  const { drive } = { drive: <T>(promise: Promise<T>) => retries.clock.drive(promise) };
  await expect(drive(store.get(id))).rejects.toThrow(`no store gives block ${id}, after 3 attempts`);
  const put = await drive(store.put(id, blob).catch((error) => error));
  expect(put.cause).toContain('fault+a:: injected fault (unavailable)');
  expect(put.cause).toContain('after 3 attempts; fault+b:');
});

test('writing fails when one replica fails, says which, and waits for the others', async () => {
  const { store, memories } = await replicas(
    [
      { name: 'a:', holds: [], faults: ['put:error=denied'] },
      { name: 'b:', holds: [] },
    ],
    {},
  );
  await expect(store.put(id, blob)).rejects.toMatchObject({
    kind: 'denied',
    message: `block ${id} is not in every store: 1 of 2 failed`,
    cause: `fault+a:: injected fault (denied) in put ${id}`,
  });
  expect(await memories[1]!.has(id)).toBe(true);
});

test('a bad block is healed where that is wanted, and only there', async () => {
  const { store, memories, notes } = await replicas([
    { name: 'a:', holds: [damaged], heals: true },
    { name: 'b:', holds: [damaged] },
    { name: 'c:', holds: [], heals: true },
    { name: 'd:' },
  ]);
  expect(await store.get(id)).toEqual(blob);
  expect(await memories[0]!.get(id)).toEqual(blob);
  expect(await memories[1]!.get(id)).toEqual(damaged.blob);
  expect(await memories[2]!.has(id)).toBe(false);
  expect(notes).toContain(`fault+a:: block ${id} is healed`);
});

test('a store that keeps what it has is healed by deleting the bad block first', async () => {
  const keeping = new MemoryStore();
  await keeping.put(id, damaged.blob);
  const put = keeping.put.bind(keeping);
  keeping.put = async (each, bytes) => {
    if (!(await keeping.has(each))) await put(each, bytes);
  };
  const good = new MemoryStore();
  await good.put(id, blob);
  const store = new Failover([
    { route: whole, store: keeping, isLocal: true, heals: true },
    { route: whole, store: good },
  ]);
  expect(await store.get(id)).toEqual(blob);
  expect(await keeping.get(id)).toEqual(blob);
});

test.each([
  'put:error',
  'put:flip',
  'get:flip',
])('healing that does not work (%s) is told, and the block comes', async (fault) => {
  const { store, notes } = await replicas([
    { name: 'a:', holds: [damaged], heals: true, faults: [fault] },
    { name: 'b:' },
  ]);
  expect(await store.get(id)).toEqual(blob);
  expect(notes.at(-1)).toContain(`block ${id} cannot be healed`);
});

test('a store that cannot write is not healed', async () => {
  const memory = new MemoryStore();
  await memory.put(id, damaged.blob);
  const readOnly = Object.assign(memory, { capabilities: { write: false, list: true, delete: false } });
  const good = new MemoryStore();
  await good.put(id, blob);
  const store = new Failover([
    { route: whole, store: readOnly, isLocal: true, heals: true },
    { route: whole, store: good },
  ]);
  await store.get(id);
  expect(await memory.get(id)).toEqual(damaged.blob);
});

test('who is told to stop asks no further replica, and blames none', async () => {
  const { store, asked, notes } = await replicas([{ name: 'a:', faults: ['get:hang'] }, { name: 'b:' }]);
  for (let i = 0; i < 5; i++) {
    const stop = new AbortController();
    const got = store.get(id, stop.signal);
    stop.abort(told);
    await expect(got).rejects.toBe(told);
  }
  expect(asked()[1]).toBe(0);
  expect(notes).toEqual([]);
});

test('a block that no range covers cannot be written, and is not there', async () => {
  const store = new Failover([{ route: { start: 0, end: 1, url: 'memory:' }, store: new MemoryStore() }]);
  const high = 'ff'.padEnd(64, '0');
  await expect(store.put(high, blob)).rejects.toMatchObject({ kind: 'config' });
  await expect(store.get(high)).rejects.toMatchObject({ kind: 'not-found' });
  expect(await store.has(high)).toBe(false);
});
