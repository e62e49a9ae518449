/**
 * Copying blocks from one directory store to another, as `rfs clone` and `rfs sync` do, against what the destination takes: the same blocks
 * put from memory, as many at one time. Beside it what reading and hashing them costs, and a plain copy.
 * Usage: tools/with-node24 bench/clone.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { loadBlake2b } from '../src/base/blake2b.ts';
import { run } from '../src/base/exec.ts';
import { forEachParallel } from '../src/base/parallel.ts';
import { syncStores } from '../src/flist/move/sync-stores.ts';
import { openStore } from '../src/store/open.ts';
import { type Bench, benchmark, emptyFiles, inTurn, timed } from './benchmark.ts';
import { readAndHash } from './read-and-hash.ts';
import { markdownTable } from './section.ts';

const count = 8000;
const size = 120_000;
const atOnce = 64;

await benchmark(import.meta.filename, { title: 'Copying blocks between stores', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const blobs = await randomBlocks();
  const source = bench.fresh('from');
  await putAll(source, blobs);

  const into = (copy: (to: string) => Promise<unknown>) => async () => {
    const to = bench.fresh('to');
    const seconds = await timed(bench, () => copy(to));
    await emptyFiles(to);
    return seconds;
  };
  const seconds = await inTurn(bench, {
    'put from memory': into((to) => putAll(to, blobs)),
    'copied from store to store': into(async (to) =>
      syncStores({ from: await openStore(`dir://${source}`), to: await openStore(`dir://${to}`) }),
    ),
    'cp -a, and sync': into(async (to) => {
      await run('cp', ['-a', source, to]);
      await run('sync', ['-f', to]);
    }),
    'b2sum of each': () => timed(bench, () => readAndHash(source)),
  });

  const limit = seconds['put from memory'];
  const rows = Object.entries(seconds).map(([name, taken]) => [
    name,
    `${taken.toFixed(2)} s`,
    `${Math.round((count * size) / 1e6 / taken)} MB/s`,
    (limit / taken).toFixed(2),
  ]);
  return [
    `${count.toLocaleString('en')} blocks of ${size.toLocaleString('en')} random bytes, ${atOnce} at one time, from and to a directory. All but \`b2sum\` have synced when they end.`,
    '',
    ...markdownTable([['', 'time', 'rate', 'of the limit'], ...rows]),
    '',
    'The limit is what the destination takes: the same blocks put from memory. Copying has to read and hash them too, which alone takes',
    `\`b2sum\`, ${availableParallelism()} at one time, as long as the last line says.`,
  ];
}

async function randomBlocks(): Promise<Map<string, Uint8Array>> {
  const blake2b = await loadBlake2b();
  const blobs = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    const blob = randomBytes(size);
    blobs.set(blake2b(blob), blob);
  }
  return blobs;
}

async function putAll(directory: string, blobs: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const store = await openStore(`dir://${directory}`);
  await forEachParallel(blobs, atOnce, ([id, blob]) => store.put(id, blob));
}
