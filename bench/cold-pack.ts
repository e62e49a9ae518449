import { closeSync, openSync, readSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { run } from '../src/base/exec.ts';
import { systemPath } from '../src/base/names.ts';
import { blockSize } from '../src/flist/block-codec.ts';
import { BlockEncoder } from '../src/flist/block-encoder.ts';
import { walkDirectory } from '../src/tree/walk-directory.ts';
import { type Bench, inTurn, nodeStart, timed } from './benchmark.ts';
import { installed, otherPackers, type Packer, rfsPack } from './packers.ts';
import { markdownTable, median } from './section.ts';
import { describeSize, formatMegabytes, type Sample, sizeOf } from './trees.ts';

/** What a packer made: seconds until the file system has it on the disk, counted from its start, and its bytes. */
interface Result {
  readonly durable: number;
  readonly bytes: number;
}

/**
 * Packs a tree by `rfs pack` and by others, each into an empty store, beside what the cores could do: the lines for the page. The
 * files are in memory when it begins.
 */
export async function coldPack(bench: Bench, { directory, name }: Sample): Promise<string[]> {
  const { present, remark } = await installed([rfsPack, ...otherPackers], bench.say);
  const size = sizeOf(directory);
  const encoder = await BlockEncoder.create();
  encodeSeconds(encoder, directory); // reads all files, and lets V8 compile

  const results = new Map<string, Result[]>(present.map((packer) => [packer.name, []]));
  const ways: Record<string, () => Promise<number>> = Object.fromEntries(
    present.map((packer) => [
      packer.name,
      async () => {
        const { seconds, result } = await packOnce(bench, packer, directory);
        results.get(packer.name)!.push(result);
        return seconds;
      },
    ]),
  );
  const start = await nodeStart(bench);
  const seconds: Record<string, number> = await inTurn(bench, {
    'one core': async () => encodeSeconds(encoder, directory),
    ...ways,
  });

  const cores = availableParallelism();
  const limit = seconds['one core']! / cores;
  const row = (packer: string) => {
    const [taken, ours] = [seconds[packer]!, packer === rfsPack.name];
    return [
      `\`${packer}\``,
      `${taken.toFixed(2)} s`,
      (limit / taken).toFixed(2),
      ours ? (limit / (taken - start)).toFixed(2) : '',
      `${median(results.get(packer)!.map(({ durable }) => durable)).toFixed(2)} s`,
      formatMegabytes(median(results.get(packer)!.map(({ bytes }) => bytes))),
    ];
  };
  const oneCore = Math.round(size.bytes / 1e6 / seconds['one core']!);
  return [
    `${describeSize(size)}: ${name}. The files are in memory before, each store is new and empty.`,
    '',
    ...markdownTable([
      ['', 'time', 'of the limit', "beyond Node's start", 'until on disk', 'result'],
      ['the limit', `${limit.toFixed(2)} s`, '1.00', '', '', ''],
      ...present.map((packer) => row(packer.name)),
    ]),
    '',
    `The limit: one core makes the blocks of this tree at ${oneCore} MB/s (hash of each block; snappy, AES-256-GCM and the hash of the result of each`,
    `that is new), without reading, writing or a manifest; ${cores} cores are taken to do ${cores} times that. Node.js alone starts and ends in ${start.toFixed(3)} s.`,
    '`until on disk` is the time with a `sync` after it; `rfs pack` has synced before it ends. borg is used without its encryption, casync compresses with its zstd.',
    remark,
  ];
}

async function packOnce(
  bench: Bench,
  { prepare, pack }: Packer,
  tree: string,
): Promise<{ seconds: number; result: Result }> {
  const to = bench.fresh('packed');
  await mkdir(to);
  try {
    await prepare?.(to);
    const seconds = await timed(bench, () => pack(tree, to));
    const syncing = performance.now();
    await run('sync', ['-f', to]);
    const durable = seconds + (performance.now() - syncing) / 1000;
    return { seconds, result: { durable, bytes: sizeOf(to).bytes } };
  } finally {
    await rm(to, { recursive: true });
  }
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
