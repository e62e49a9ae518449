/**
 * Blocks per second into a directory store: with syncs that are shared (`DirStore.put`), with a sync for each block (`writeAtomic`),
 * and written without any, which is the limit.
 * Usage: tools/with-node24 bench/dir-store.ts [--rounds N] [--work DIRECTORY] [--write] [BLOCKS-AT-ONE-TIME]
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeAtomic } from '../src/base/files.ts';
import { loadLibc } from '../src/base/libc.ts';
import { forEachParallel } from '../src/base/parallel.ts';
import { DirStore } from '../src/store/dir/dir.ts';
import { shardedPath } from '../src/store/dir/dir-paths.ts';
import { type Bench, benchmark, emptyFiles, inTurn, timed } from './benchmark.ts';
import { markdownTable } from './section.ts';

const count = 4000;
const size = 90_000;
const blob = randomBytes(size);
const ids = Array.from({ length: count }, (_, index) =>
  createHash('sha256').update(`${index}`).digest('hex'),
);

type Put = (id: string) => Promise<void>;

await benchmark(import.meta.filename, { title: 'Putting blocks into a directory', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const concurrency = Number(bench.args[0] ?? 64);
  const into = (open: (root: string) => Put) => async () => {
    const root = bench.fresh('store');
    const seconds = await timed(bench, () => forEachParallel(ids, concurrency, open(root)));
    await emptyFiles(root);
    return seconds;
  };
  const seconds = await inTurn(bench, {
    'no sync': into((root) => async (id) => {
      const path = shardedPath(root, id);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, blob);
    }),
    'shared syncs': into((root) => {
      const store = new DirStore(root);
      return (id) => store.put(id, blob);
    }),
    'a sync for each': into((root) => (id) => writeAtomic(shardedPath(root, id), blob)),
  });

  const limit = seconds['no sync'];
  const rows = Object.entries(seconds).map(([name, taken]) => [
    name,
    `${taken.toFixed(2)} s`,
    `${Math.round(count / taken)}`,
    (limit / taken).toFixed(2),
  ]);
  const libc = (await loadLibc()) ? '' : ' There is no `koffi` here, so nothing is shared.';
  return [
    `${count.toLocaleString('en')} blocks of ${size.toLocaleString('en')} bytes, ${concurrency} at one time.${libc}`,
    '',
    ...markdownTable([['', 'time', 'blocks a second', 'of the limit'], ...rows]),
    '',
    'The limit is writing the files without any sync, which keeps nothing at a power cut. A directory store shares syncs.',
  ];
}
