import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GroupCommit } from './group-commit.ts';

/** Syncs that end when the test says so. */
function manual() {
  const syncs: PromiseWithResolvers<void>[] = [];
  const commit = new GroupCommit(() => {
    const sync = Promise.withResolvers<void>();
    syncs.push(sync);
    return sync.promise;
  });
  const log: string[] = [];
  const write = (name: string) =>
    commit.durable().then(
      () => log.push(name),
      (error) => log.push(`${name}: ${error.message}`),
    );
  return { syncs, log, write };
}

test('who comes during a sync waits for the next one, together with all others', async () => {
  const { syncs, log, write } = manual();
  write('a');
  write('b');
  write('c');
  await setImmediate();
  expect(syncs.length).toBe(1);
  syncs[0]!.resolve();
  await setImmediate();
  expect(log).toEqual(['a']);
  expect(syncs.length).toBe(2);
  syncs[1]!.resolve();
  await setImmediate();
  expect(log).toEqual(['a', 'b', 'c']);
  expect(syncs.length).toBe(2);
});

test('nobody is done before a sync has ended that began after he came', async () => {
  const { syncs, log, write } = manual();
  write('early');
  await setImmediate();
  write('late');
  syncs[0]!.resolve();
  await setImmediate();
  expect(log).toEqual(['early']);
  expect(syncs.length).toBe(2);
  syncs[1]!.resolve();
  await setImmediate();
  expect(log).toEqual(['early', 'late']);
});

test('a sync that fails fails for those who waited for it, and for no others', async () => {
  const { syncs, log, write } = manual();
  write('early');
  await setImmediate();
  write('late');
  syncs[0]!.reject(new Error('the disk is gone'));
  await setImmediate();
  syncs[1]!.resolve();
  await setImmediate();
  expect(log).toEqual(['early: the disk is gone', 'late']);
});
