import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
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

test('threads collect at the same time', async () => {
  const script = `import(${JSON.stringify(new URL('./garbage.ts', import.meta.url).href)})
    .then(({ collectGarbage }) => { for (let i = 0; i < 40; i++) collectGarbage(); })`;
  const threads = Array.from({ length: 4 }, () => new Worker(script, { eval: true }));
  const codes = await Promise.all(threads.map(async (thread) => (await once(thread, 'exit'))[0]));
  expect(codes).toEqual([0, 0, 0, 0]);
});
