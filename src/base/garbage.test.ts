import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { collectGarbage } from './garbage.ts';

test('memory that nobody refers to any more is given back', async () => {
  const before = process.memoryUsage.rss();
  const reference = (() => new WeakRef(new Uint8Array(64 << 20).fill(1)))();
  const full = process.memoryUsage.rss();
  await setImmediate(); // a WeakRef holds what it refers to until its task ends
  collectGarbage();
  expect(reference.deref()).toBe(undefined);
  expect(full - process.memoryUsage.rss()).toBeGreaterThan((full - before) / 2);
  expect('gc' in globalThis).toBe(false);
});
