import { expect, test } from 'vitest';
import { histogramClasses, Statistics } from './statistics.ts';

test('what threads count is added up, without the threads knowing of each other', () => {
  const statistics = Statistics.create([]);
  const elsewhere = new Statistics(structuredClone(statistics.shared)); // as a thread gets it
  statistics.counter(0).add('read');
  elsewhere.counter(1).add('read', 2);
  elsewhere.counter(2).add('bytesRead', 2 ** 40);
  expect(statistics.snapshot().counters).toMatchObject({ read: 3, bytesRead: 2 ** 40, lookup: 0 });
});

test('a duration is counted in the class of its power of two', () => {
  const statistics = Statistics.create([]);
  const main = statistics.counter(0);
  for (const milliseconds of [0, 0.0005, 0.001, 0.0035, 1, 1e9, -1]) main.took('readWaited', milliseconds);
  const { readWaited, readAtOnce } = statistics.snapshot().latencies;
  const nonZero = [...readWaited.classes.entries()].filter(([, count]) => count > 0);
  expect(nonZero).toEqual([
    [0, 3],
    [1, 1],
    [2, 1],
    [10, 1],
    [histogramClasses - 1, 1],
  ]);
  expect(readWaited.milliseconds).toBeCloseTo(1e9 + 1.005, 3);
  expect(readAtOnce.classes.every((count) => count === 0)).toBe(true);
});

test('each store has its own figures; more stores than there is room for share the last', () => {
  const statistics = Statistics.create(Array.from({ length: 20 }, (_, i) => `dir:///${i}`));
  const main = statistics.counter(0);
  main.storeGave(1, 1000, 0.1);
  main.storeFailed(1);
  main.storeGave(19, 5, 1);
  const { stores } = statistics.snapshot();
  expect(stores).toHaveLength(16);
  expect(stores[1]).toMatchObject({ address: 'dir:///1', blocks: 1, bytes: 1000, failures: 1 });
  expect(stores[15]).toMatchObject({ blocks: 1, bytes: 5 });
  expect(stores[0]).toMatchObject({ blocks: 0, bytes: 0, failures: 0 });
});
