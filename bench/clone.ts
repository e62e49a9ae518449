/**
 * Copying blocks from one directory store to another, against what the destination takes: the same blocks put from memory, as
 * many at one time. Medians of ROUNDS rounds, the two in turn.
 * Usage: tools/with-node24 bench/clone.ts [DIRECTORY] [ROUNDS]
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBlake2b } from '../src/base/blake2b.ts';
import { run } from '../src/base/exec.ts';
import { forEachParallel } from '../src/base/parallel.ts';
import { formatTable } from '../src/base/table.ts';
import { syncStores } from '../src/flist/sync-stores.ts';
import { openStore } from '../src/store/open.ts';

const count = 8000;
const size = 120_000;
const atOnce = 64;
const [parent = tmpdir(), rounds = '3'] = process.argv.slice(2);

const blake2b = await loadBlake2b();
const root = await mkdtemp(join(parent, 'zosbuilder-bench-'));
const from = await openStore(`dir://${root}/from`);
const blobs = new Map<string, Uint8Array>();
for (let i = 0; i < count; i++) {
  const blob = randomBytes(size);
  blobs.set(blake2b(blob), blob);
}

const ways: Readonly<Record<string, (to: string) => Promise<unknown>>> = {
  'put from memory': async (to) => {
    const store = await openStore(to);
    await forEachParallel(blobs, atOnce, async ([id, blob]) => {
      await store.put(id, blob);
    });
  },
  'copied from store to store': async (to) => syncStores({ from, to: await openStore(to) }),
};

async function seconds(way: (to: string) => Promise<unknown>): Promise<number> {
  await rm(join(root, 'to'), { recursive: true, force: true });
  await run('sync', ['-f', root]);
  const start = performance.now();
  await way(`dir://${root}/to`);
  return (performance.now() - start) / 1000;
}

try {
  await forEachParallel(blobs, atOnce, async ([id, blob]) => {
    await from.put(id, blob);
  });
  const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < Number(rounds); round++)
    for (const [name, way] of Object.entries(ways)) times.get(name)!.push(await seconds(way));
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
  const [limit] = [...times.values()].map(median);
  console.log(`${count} blocks of ${size} bytes, ${atOnce} at one time, ${availableParallelism()} cores`);
  const rows = [...times].map(([name, values]) => [
    name,
    `${median(values).toFixed(2)} s`,
    `${((count * size) / median(values) / 1e6).toFixed(0)} MB/s`,
    `${(limit! / median(values)).toFixed(2)} of the limit`,
  ]);
  console.log(formatTable(rows, ['left', 'right', 'right', 'right']).join('\n'));
} finally {
  await rm(root, { recursive: true, force: true });
}
