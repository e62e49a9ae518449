import { expect, test } from 'vitest';
import { Failure, type FailureKind } from '../base/errors.ts';
import { MemoryStore } from './memory.ts';
import { Router } from './router.ts';
import type { Store } from './store.ts';

const low = `00${'0'.repeat(62)}`;
const high = `ff${'0'.repeat(62)}`;
const blob = new TextEncoder().encode('blob');
const whole = { start: 0x00, end: 0xff, url: 'memory:' };

function failing(kind: FailureKind): Store {
  const fail = async () => {
    throw new Failure(kind, `the ${kind} store fails`);
  };
  return Object.assign(new MemoryStore(), { get: fail, put: fail, has: fail });
}

const routerOf = (...stores: readonly Store[]) =>
  new Router(stores.map((store) => ({ route: whole, store })));

test('each block goes to the stores whose range covers the first byte of its id, both ends included', async () => {
  const [first, second] = [new MemoryStore(), new MemoryStore()];
  const router = new Router([
    { route: { start: 0x00, end: 0x7f, url: 'memory:' }, store: first },
    { route: { start: 0x7f, end: 0xff, url: 'memory:' }, store: second },
  ]);
  const border = `7f${'0'.repeat(62)}`;
  for (const id of [low, border, high]) await router.put(id, blob);
  const held = async (store: Store) => Promise.all([low, border, high].map((id) => store.has(id)));
  expect(await held(first)).toEqual([true, true, false]);
  expect(await held(second)).toEqual([false, true, true]);
});

test('a block goes to every replica, and counts as held only when all have it', async () => {
  const [first, second] = [new MemoryStore(), new MemoryStore()];
  const router = routerOf(first, second);
  await first.put(low, blob);
  expect(await router.has(low)).toBe(false);
  await router.put(low, blob);
  expect(await second.has(low)).toBe(true);
  expect(await router.has(low)).toBe(true);
});

test.each([
  'unavailable',
  'timeout',
  'not-found',
  'corrupt',
] as const)('reading goes on to the next replica after one that is %s', async (kind) => {
  const good = new MemoryStore();
  await good.put(low, blob);
  expect(await routerOf(failing(kind), good).get(low)).toEqual(blob);
});

test('a replica that does not answer outweighs one that has no such block', async () => {
  await expect(routerOf(new MemoryStore(), failing('timeout')).get(low)).rejects.toMatchObject({
    kind: 'timeout',
  });
  await expect(routerOf(new MemoryStore(), new MemoryStore()).get(low)).rejects.toMatchObject({
    kind: 'not-found',
  });
});

test('writing fails when one replica fails', async () => {
  await expect(routerOf(new MemoryStore(), failing('unavailable')).put(low, blob)).rejects.toMatchObject({
    kind: 'unavailable',
  });
});

test('a block that no range covers cannot be written, and is not there', async () => {
  const router = new Router([{ route: { start: 0, end: 1, url: 'memory:' }, store: new MemoryStore() }]);
  await expect(router.put(high, blob)).rejects.toMatchObject({ kind: 'config' });
  await expect(router.get(high)).rejects.toMatchObject({ kind: 'not-found' });
  expect(await router.has(high)).toBe(false);
});
