/**
 * Blocks per second into a directory store: with syncs that are shared (`DirStore.put`), with a sync for each block (`writeAtomic`),
 * and written without any, which is the limit. Medians of ROUNDS rounds, the three in turn.
 * Usage: tools/with-node24 bench/dir-store.ts [DIRECTORY] [ROUNDS] [BLOCKS-AT-ONE-TIME]
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../src/base/exec.ts';
import { writeAtomic } from '../src/base/files.ts';
import { loadLibc } from '../src/base/libc.ts';
import { forEachParallel } from '../src/base/parallel.ts';
import { formatTable } from '../src/base/table.ts';
import { DirStore } from '../src/store/dir.ts';
import { shardedPath } from '../src/store/dir-paths.ts';

const count = 4000;
const size = 90_000;
const [parent = tmpdir(), rounds = '5', atOnce = '64'] = process.argv.slice(2);
const concurrency = Number(atOnce);

const blob = randomBytes(size);
const ids = Array.from({ length: count }, (_, index) =>
  createHash('sha256').update(`${index}`).digest('hex'),
);

type Put = (root: string) => (id: string) => Promise<void>;

const ways: Readonly<Record<string, Put>> = {
  'shared syncs': (root) => {
    const store = new DirStore(root);
    return (id) => store.put(id, blob);
  },
  'a sync for each': (root) => (id) => writeAtomic(shardedPath(root, id), blob),
  'no sync': (root) => async (id) => {
    const path = shardedPath(root, id);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, blob);
  },
};

async function seconds(way: Put): Promise<number> {
  const root = await mkdtemp(join(parent, 'zosbuilder-bench-'));
  try {
    await run('sync', ['-f', root]);
    const put = way(root);
    const start = performance.now();
    await forEachParallel(ids, concurrency, put);
    return (performance.now() - start) / 1000;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
for (let round = 0; round < Number(rounds); round++)
  for (const [name, way] of Object.entries(ways)) times.get(name)!.push(await seconds(way));

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const limit = median(times.get('no sync')!);
console.log(`${count} blocks of ${size} bytes, ${concurrency} at a time, ${availableParallelism()} cores,`);
console.log(`${rounds} rounds in ${parent}, syncfs ${(await loadLibc()) ? 'by koffi' : 'missing'}`);
const rows = [...times].map(([name, all]) => [
  name,
  `${Math.round(count / median(all))}`,
  (limit / median(all)).toFixed(2),
]);
for (const line of formatTable([['', 'blocks/s', 'of no sync'], ...rows], ['left', 'right', 'right']))
  console.log(line);
