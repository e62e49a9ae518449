import { expect, test } from 'vitest';
import { forEachParallel } from './parallel.ts';

const turn = () => new Promise(setImmediate);

test('every item is worked on once, in order, and no more than so many at one time', async () => {
  const begun: number[] = [];
  let underway = 0;
  let most = 0;
  await forEachParallel(Array(20).keys(), 3, async (item) => {
    begun.push(item);
    most = Math.max(most, ++underway);
    for (let i = 0; i < item % 3; i++) await turn();
    underway--;
  });
  expect(begun).toEqual([...Array(20).keys()]);
  expect(most).toBe(3);
});

test('the first failure is thrown when all is still, stops what is underway, and nothing more is begun', async () => {
  let begun = 0;
  let underway = 0;
  const working = forEachParallel(Array(20).keys(), 3, async (item, signal) => {
    begun++;
    underway++;
    if (item === 4) {
      underway--;
      throw new Error('no. 4');
    }
    for (let i = 0; i < 10 && !signal.aborted; i++) await turn();
    underway--;
    signal.throwIfAborted();
  });
  await expect(working).rejects.toThrow('no. 4');
  expect(underway).toBe(0);
  expect(begun).toBeLessThan(9);
});

test('a source of items that fails is a failure, and one that is asked no longer is closed', async () => {
  let closed = false;
  async function* failing() {
    try {
      yield 1;
      throw new Error('no more');
    } finally {
      closed = true;
    }
  }
  await expect(forEachParallel(failing(), 2, turn as () => Promise<void>)).rejects.toThrow('no more');
  expect(closed).toBe(true);
});
