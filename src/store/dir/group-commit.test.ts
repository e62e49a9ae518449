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
  /** A writer whose step ends when the test says so; at once by default. */
  const write = (name: string, step: Promise<void> = Promise.resolve()) =>
    commit
      .durable(() => step)
      .then(
        () => log.push(name),
        (error) => log.push(`${name}: ${error.message}`),
      );
  return { syncs, log, write };
}

const turns = async () => {
  for (let i = 0; i < 3; i++) await setImmediate();
};

test('writers that come at the same time share a sync', async () => {
  const { syncs, log, write } = manual();
  for (const name of ['a', 'b', 'c']) write(name);
  await turns();
  expect(syncs.length).toBe(1);
  syncs[0]!.resolve();
  await turns();
  expect(log).toEqual(['a', 'b', 'c']);
  expect(syncs.length).toBe(1);
});

test('nobody is done before a sync has ended that began after his step; those who come during one share the next', async () => {
  const { syncs, log, write } = manual();
  write('early');
  await turns();
  write('late');
  write('later');
  await turns();
  syncs[0]!.resolve();
  await turns();
  expect(log).toEqual(['early']);
  expect(syncs.length).toBe(2);
  syncs[1]!.resolve();
  await turns();
  expect(log).toEqual(['early', 'late', 'later']);
});

test('a sync waits for writers that are under way, but not when many wait for it', async () => {
  const { syncs, log, write } = manual();
  const slow = Promise.withResolvers<void>();
  write('slow', slow.promise);
  for (let i = 0; i < 63; i++) write(`${i}`);
  await turns();
  expect(syncs.length).toBe(0);
  write('63');
  await turns();
  expect(syncs.length).toBe(1);
  syncs[0]!.resolve();
  await turns();
  expect(log.length).toBe(64);
  slow.resolve();
  await turns();
  expect(syncs.length).toBe(2);
  syncs[1]!.resolve();
  await turns();
  expect(log.at(-1)).toBe('slow');
});

test('a step that fails fails alone, and keeps nobody waiting', async () => {
  const { syncs, log, write } = manual();
  const slow = Promise.withResolvers<void>();
  write('slow', slow.promise);
  write('a');
  await turns();
  slow.reject(new Error('no space'));
  await turns();
  syncs[0]!.resolve();
  await turns();
  expect(log).toEqual(['slow: no space', 'a']);
});

test('a sync that fails fails for those who waited for it, and for no others', async () => {
  const { syncs, log, write } = manual();
  write('early');
  await turns();
  write('late');
  syncs[0]!.reject(new Error('the disk is gone'));
  await turns();
  syncs[1]!.resolve();
  await turns();
  expect(log).toEqual(['early: the disk is gone', 'late']);
});
