import { closeSync, openSync, readSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from '../src/base/exec.ts';
import { systemPath } from '../src/base/names.ts';
import { blockSize } from '../src/flist/block/block-codec.ts';
import { BlockEncoder } from '../src/flist/block/block-encoder.ts';
import { walkDirectory } from '../src/tree/walk-directory.ts';
import { type Bench, emptyFiles, inTurn, nodeStart, timed } from './benchmark.ts';
import { installed, otherPackers, type Packer, rfsPack } from './packers.ts';
import { markdownTable, median } from './section.ts';
import { describeSize, formatMegabytes, type Sample, sizeOf } from './trees.ts';

/** What a pack into a new store took and gave. */
interface Pack {
  readonly seconds: number;
  /** Seconds until the file system has it on the disk, from the same start. */
  readonly durable: number;
  readonly bytes: number;
}

export interface ColdPackOptions {
  /** How often the other packers are measured; as often as `rfs pack` by default. */
  readonly otherRounds?: number;
}

/**
 * Packs a tree by `rfs pack` and by others, each into an empty store, beside what the cores could do: the lines for the page. The
 * files are in memory when it begins.
 */
export async function coldPack(
  bench: Bench,
  { directory, name }: Sample,
  { otherRounds = bench.rounds }: ColdPackOptions = {},
): Promise<string[]> {
  const { present, remark } = await installed([rfsPack, ...otherPackers], bench.say);
  const size = sizeOf(directory);
  const encoder = await BlockEncoder.create();
  encodeSeconds(encoder, directory); // reads all files, and lets V8 compile
  const start = await nodeStart(bench);

  const packs = new Map<string, Pack[]>(present.map((packer) => [packer.name, []]));
  const [encodings, copies]: [number[], number[]] = [[], []];
  const packOnce = (packer: Packer, afterwards?: (to: string) => Promise<unknown>) => async () => {
    const to = bench.fresh('packed');
    await mkdir(to);
    const pack = await packInto(bench, packer, directory, to);
    packs.get(packer.name)!.push(pack);
    await afterwards?.(to);
    await emptyFiles(to);
    return pack.seconds;
  };
  const ours = {
    'one core': async () => {
      encodings.push(encodeSeconds(encoder, directory));
      return encodings.at(-1)!;
    },
    [rfsPack.name]: packOnce(rfsPack, async (to) => {
      copies.push(await timed(bench, () => copyAndSync(join(to, 'blocks'), join(to, 'copies'))));
    }),
  };
  const others = present.filter((packer) => packer !== rfsPack);
  const all = { ...ours, ...Object.fromEntries(others.map((packer) => [packer.name, packOnce(packer)])) };
  await inTurn({ ...bench, rounds: otherRounds }, all);
  await inTurn({ ...bench, rounds: bench.rounds - otherRounds }, ours);

  const cores = availableParallelism();
  const oneCore = median(encodings);
  const limit = oneCore / cores;
  const row = (packer: Packer) => {
    const all = packs.get(packer.name)!;
    const [taken, durable, bytes] = [
      median(all.map(({ seconds }) => seconds)),
      median(all.map(({ durable }) => durable)),
      median(all.map(({ bytes }) => bytes)),
    ];
    return [
      `\`${packer.name}\``,
      `${taken.toFixed(2)} s`,
      (limit / taken).toFixed(2),
      packer === rfsPack ? (limit / (taken - start)).toFixed(2) : '',
      `${durable.toFixed(2)} s`,
      formatMegabytes(bytes),
    ];
  };
  const once =
    otherRounds < bench.rounds
      ? ` The others ran ${otherRounds === 1 ? 'once' : `${otherRounds} times`}.`
      : '';
  return [
    `${describeSize(size)}: ${name}. The files are in memory before, each store is new and empty.${once}`,
    '',
    ...markdownTable([
      ['', 'time', 'of the limit', "beyond Node's start", 'until on disk', 'result'],
      ['the limit', `${limit.toFixed(2)} s`, '1.00', '', '', ''],
      ...present.map(row),
      ['`cp -a` of the blocks of `rfs pack`', '', '', '', `${median(copies).toFixed(2)} s`, ''],
    ]),
    '',
    `The limit: one core makes the blocks of this tree at ${Math.round(size.bytes / 1e6 / oneCore)} MB/s (hash of each block; snappy, AES-256-GCM and the hash of the result of each`,
    `that is new), without reading, writing or a manifest; ${cores} cores are taken to do ${cores} times that. Node.js alone starts and ends in ${start.toFixed(3)} s.`,
    '`until on disk` is the time with a `sync` after it; `rfs pack` has synced before it ends, and the last line is what the disk takes for its blocks alone.',
    'borg is used without its encryption, casync compresses with its zstd.',
    remark,
  ];
}

async function packInto(bench: Bench, { prepare, pack }: Packer, tree: string, to: string): Promise<Pack> {
  await prepare?.(to);
  const seconds = await timed(bench, () => pack(tree, to));
  const syncing = performance.now();
  await run('sync', ['-f', to]);
  return { seconds, durable: seconds + (performance.now() - syncing) / 1000, bytes: sizeOf(to).bytes };
}

async function copyAndSync(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
  await run('sync', ['-f', to]);
}

/** Seconds that this thread takes to make the blocks of a directory, reading not counted. */
function encodeSeconds(encoder: BlockEncoder, directory: string): number {
  const known = new Set<string>();
  let milliseconds = 0;
  for (const [, entry] of walkDirectory(directory)) {
    if (entry.kind !== 'file') continue;
    const descriptor = openSync(systemPath(entry.content.file!), 'r');
    for (let at = 0; at < entry.content.size; at += blockSize) {
      const plain = encoder.plain(Math.min(blockSize, entry.content.size - at));
      readSync(descriptor, plain, 0, plain.length, at);
      const start = performance.now();
      const key = encoder.key(plain).toString('latin1');
      if (!known.has(key)) encoder.encode();
      known.add(key);
      milliseconds += performance.now() - start;
    }
    closeSync(descriptor);
  }
  return milliseconds / 1000;
}
