/**
 * Checking every block of a flist: `rfs verify` beside what the cores can decode, and beside what the store gives, that is reading and
 * hashing the same objects with `b2sum`, as many at one time as there are cores.
 * Usage: tools/with-node24 bench/verify.ts [--rounds N] [--work DIRECTORY] [--write] [DIRECTORY]
 */
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../src/base/errors.ts';
import { run } from '../src/base/exec.ts';
import { checkBlock } from '../src/flist/block/block-check.ts';
import { initBlockCodec } from '../src/flist/block/block-codec.ts';
import { type Manifest, readManifest } from '../src/flist/manifest/manifest.ts';
import { uniqueBlocks } from '../src/flist/move/clone.ts';
import { DirStore } from '../src/store/dir/dir.ts';
import { type Bench, benchmark, inTurn, nodeStart, timed } from './benchmark.ts';
import { rfs, rfsPack } from './packers.ts';
import { readAndHash } from './read-and-hash.ts';
import { markdownTable } from './section.ts';
import { describeSize, formatMegabytes, sampleTree, sizeOf } from './trees.ts';

await benchmark(import.meta.filename, { title: 'Verifying a flist', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const tree = await sampleTree(bench);
  const packed = bench.fresh('packed');
  await mkdir(packed);
  await rfsPack.pack(tree.directory, packed);
  const [flist, blocks] = [join(packed, 'tree.fl'), join(packed, 'blocks')];
  const manifest = await readManifest(flist);
  await initBlockCodec();

  const start = await nodeStart(bench);
  const seconds = await inTurn(bench, {
    'decode on one core': () => decodeSeconds(manifest, new DirStore(blocks)),
    'read and hash': () => timed(bench, () => readAndHash(blocks)),
    'rfs verify': () => timed(bench, () => run(rfs, ['verify', '-q', flist, '-s', `dir://${blocks}`])),
    'rfs verify --no-content': () =>
      timed(bench, () => run(rfs, ['verify', '-q', '--no-content', flist, '-s', `dir://${blocks}`])),
  });

  const cores = availableParallelism();
  const limit = seconds['decode on one core'] / cores;
  const hashed = seconds['read and hash'];
  const row = (name: string, taken: number, ...more: string[]) => [
    name,
    `${taken.toFixed(2)} s`,
    (limit / taken).toFixed(2),
    more[0] ?? '',
    (hashed / taken).toFixed(2),
  ];
  const ours = seconds['rfs verify'];
  const noContent = seconds['rfs verify --no-content'];
  const [size, stored] = [sizeOf(tree.directory), sizeOf(blocks)];
  return [
    `${describeSize(size)} (${tree.name}) in ${stored.files.toLocaleString('en')} blocks of ${formatMegabytes(stored.bytes)} in a directory, which are in memory.`,
    '',
    ...markdownTable([
      ['', 'time', 'of the limit', "beyond Node's start", 'of b2sum'],
      row('the limit', limit),
      row(`\`b2sum\`, ${cores} at one time`, hashed),
      row('`rfs verify`', ours, (limit / (ours - start)).toFixed(2)),
      ['`rfs verify --no-content`', `${noContent.toFixed(2)} s`, '', '', ''],
    ]),
    '',
    `The limit: one core checks these blocks at ${Math.round(size.bytes / 1e6 / seconds['decode on one core'])} MB/s (id, AES-256-GCM, snappy, hash of the plain bytes), reading not counted; ${cores} cores are taken`,
    `to do ${cores} times that. \`b2sum\` only reads and hashes what is stored: it is what a store gives to one who checks ids.`,
    `Node.js alone starts and ends in ${start.toFixed(3)} s.`,
  ];
}

/** Seconds that this thread takes to check every block, reading not counted. */
async function decodeSeconds(manifest: Manifest, store: DirStore): Promise<number> {
  let milliseconds = 0;
  for (const block of uniqueBlocks(manifest)) {
    const blob = await store.get(block.id);
    const start = performance.now();
    const state = checkBlock(blob, block, block.size);
    milliseconds += performance.now() - start;
    if (state !== 'sound') throw new Failure('corrupt', `block ${block.id} is ${state}`);
  }
  return milliseconds / 1000;
}
