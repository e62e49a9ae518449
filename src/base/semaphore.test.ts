import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Semaphore } from './semaphore.ts';

/** A task that runs until it is told to end. */
function task(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const run = async () => {
    log.push(name);
    await promise;
  };
  return { run, end: resolve };
}

test('as many tasks run at one time as there are places, the others in the order of their coming', async () => {
  const semaphore = new Semaphore(2);
  const log: string[] = [];
  const tasks = ['a', 'b', 'c', 'd'].map((name) => task(log, name));
  const runs = tasks.map(({ run }) => semaphore.run(run));
  await setImmediate();
  expect(log).toEqual(['a', 'b']);
  tasks[1]!.end();
  await setImmediate();
  expect(log).toEqual(['a', 'b', 'c']);
  for (const { end } of tasks) end();
  await Promise.all(runs);
  expect(log).toEqual(['a', 'b', 'c', 'd']);
});

test('a task that fails gives its place back', async () => {
  const semaphore = new Semaphore(1);
  await expect(semaphore.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await semaphore.run(async () => 'next')).toBe('next');
});

test('a task that is told to stop while it waits takes no place', async () => {
  const semaphore = new Semaphore(1);
  const log: string[] = [];
  const first = task(log, 'first');
  const running = semaphore.run(first.run);
  const stop = new AbortController();
  const waiting = semaphore.run(async () => log.push('second'), stop.signal);
  const third = semaphore.run(async () => log.push('third'));
  stop.abort(new Error('told to stop'));
  await expect(waiting).rejects.toThrow('told to stop');
  first.end();
  await Promise.all([running, third]);
  expect(log).toEqual(['first', 'third']);
});

test('a place that is given at the very moment of the abort is not lost', async () => {
  const semaphore = new Semaphore(1);
  const first = task([], 'first');
  const running = semaphore.run(first.run);
  const stop = new AbortController();
  const waiting = semaphore.run(async () => 'never', stop.signal);
  first.end();
  running.then(() => stop.abort(new Error('told to stop')));
  await expect(Promise.race([waiting, running.then(() => waiting)])).toBeDefined();
  await waiting.catch(() => {});
  expect(await semaphore.run(async () => 'next')).toBe('next');
});
