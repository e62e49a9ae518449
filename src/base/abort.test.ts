import { expect, test } from 'vitest';
import { orAborted } from './abort.ts';

const never = () => new Promise<never>(() => {});
const told = new Error('told to stop');

test('without an abort it is the promise itself', async () => {
  const { signal } = new AbortController();
  expect(await orAborted(Promise.resolve(1), signal)).toBe(1);
  expect(await orAborted(Promise.resolve(1), undefined)).toBe(1);
  await expect(orAborted(Promise.reject(told), signal)).rejects.toBe(told);
});

test('an abort ends the wait for what never comes, also one from before', async () => {
  const stop = new AbortController();
  const waiting = orAborted(never(), stop.signal);
  stop.abort(told);
  await expect(waiting).rejects.toBe(told);
  await expect(orAborted(never(), stop.signal)).rejects.toBe(told);
});

test('what the promise throws after the abort is nobody’s business', async () => {
  const stop = new AbortController();
  const late = Promise.withResolvers<never>();
  const waiting = orAborted(late.promise, stop.signal);
  stop.abort(told);
  await expect(waiting).rejects.toBe(told);
  late.reject(new Error('unheard'));
});
