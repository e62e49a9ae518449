import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BlockTable } from './block-table.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();

test('a key has one place for ever, and its block the id that it was given', () => {
  const table = new BlockTable();
  for (let i = 0; i < 50_000; i++) {
    const { place, isNew } = table.add(digest(`key ${i}`));
    expect({ place, isNew }).toEqual({ place: i, isNew: true });
    table.setId(place, digest(`id ${i}`));
  }
  expect(table.size).toBe(50_000);
  for (let i = 0; i < 50_000; i += 7) {
    expect(table.add(digest(`key ${i}`))).toEqual({ place: i, isNew: false });
    expect(table.ref(i)).toEqual({
      id: digest(`id ${i}`).toString('hex'),
      key: digest(`key ${i}`).toString('hex'),
    });
  }
  expect(table.isStored(3)).toBe(false);
  table.setStored(3);
  expect([2, 3, 4].map((place) => table.isStored(place))).toEqual([false, true, false]);
});

test.each<[string, (table: BlockTable) => unknown]>([
  ['setStored', (table) => table.setStored(49_999)],
  ['isStored', (table) => table.isStored(49_999)],
  ['setId', (table) => table.setId(49_999, digest('id'))],
  ['ref', (table) => table.ref(49_999)],
])('what another thread added is there for %s as the first call', (_, call) => {
  const other = new BlockTable();
  for (let i = 0; i < 50_000; i++) other.add(digest(`key ${i}`));
  call(new BlockTable(other.shared));
  other.setStored(49_999);
  expect(new BlockTable(other.shared).isStored(49_999)).toBe(true);
});

test('keys of one chain are told apart', () => {
  const table = new BlockTable();
  const keys = Array.from({ length: 300 }, (_, i) => Buffer.alloc(32, 'x').fill(`${1000 + i}`, 5, 9));
  const places = keys.map((key) => table.add(key).place);
  expect(new Set(places).size).toBe(300);
  expect(keys.map((key) => table.add(key).place)).toEqual(places);
});

test('threads that add the same keys at the same time agree on places, and one of them adds each', async () => {
  const table = new BlockTable();
  const keys = 20_000;
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { createHash } = require('node:crypto');
    import(workerData.module).then(({ BlockTable }) => {
      const table = new BlockTable(workerData.shared);
      const start = new Int32Array(workerData.start);
      const digests = Array.from({ length: ${keys} }, (_, i) => createHash('sha256').update('key ' + i).digest());
      Atomics.add(start, 0, 1);
      while (Atomics.load(start, 0) < 3) Atomics.wait(start, 0, Atomics.load(start, 0), 1);
      const added = digests.map((digest) => table.add(digest));
      parentPort.postMessage(added);
    });`;
  const start = new SharedArrayBuffer(4);
  const module = new URL('./block-table.ts', import.meta.url).href;
  const results = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<{ place: number; isNew: boolean }[]>((resolve, reject) => {
          new Worker(code, { eval: true, workerData: { shared: table.shared, start, module } })
            .on('message', resolve)
            .on('error', reject);
        }),
    ),
  );
  for (let i = 0; i < keys; i++) {
    const places = results.map((added) => added[i]!.place);
    expect(new Set(places).size).toBe(1);
    expect(table.ref(places[0]!).key).toBe(digest(`key ${i}`).toString('hex'));
    expect(results.filter((added) => added[i]!.isNew)).toHaveLength(1);
  }
});
