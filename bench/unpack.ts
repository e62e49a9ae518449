/**
 * Unpacking a tree: how much of what the cores can decode, and of what the disk takes, `rfs unpack` reaches; beside a plain
 * copy and what other tools do with the same tree.
 * Usage: tools/with-node24 bench/unpack.ts [--rounds N] [--work DIRECTORY] [--write] [DIRECTORY…]
 */
import { cp, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from '../src/base/exec.ts';
import { decodePlain, initBlockCodec, release } from '../src/flist/block/block-codec.ts';
import { type Manifest, readManifest } from '../src/flist/manifest/manifest.ts';
import { DirStore } from '../src/store/dir/dir.ts';
import { type Bench, benchmark, emptyFiles, inTurn, nodeStart, timed } from './benchmark.ts';
import { installed, mksquashfs, rfs, rfsPack } from './packers.ts';
import { markdownTable } from './section.ts';
import { describeSize, sizeOf } from './trees.ts';

await benchmark(import.meta.filename, { title: 'Unpacking', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const sources = bench.args.length > 0 ? bench.args : ['/usr/share', '/usr/bin'];
  const [tree, packed] = [bench.fresh('tree'), bench.fresh('packed')];
  bench.say('copying and packing');
  for (const directory of [tree, packed]) await mkdir(directory);
  for (const [index, source] of sources.entries())
    await cp(source, join(tree, `${index}`), { recursive: true, verbatimSymlinks: true });
  const { present, remark } = await installed([rfsPack, mksquashfs], bench.say);
  for (const packer of present) await packer.pack(tree, packed);
  const [flist, tar] = [join(packed, 'tree.fl'), join(packed, 'tree.tar')];
  await run('tar', ['-c', '-f', tar, '-C', tree, '.']);
  await initBlockCodec();
  const manifest = await readManifest(flist);
  const { files, bytes } = sizeOf(tree);

  const to = (unpack: (target: string) => Promise<unknown>) => async () => {
    const target = bench.fresh('target');
    const seconds = await timed(bench, () => unpack(target));
    await emptyFiles(target);
    return seconds;
  };
  const squashfs = join(packed, 'tree.squashfs');
  const ways: Record<string, () => Promise<number>> = {
    'one core': async () => bytes / 1e6 / (await decodeRate(manifest, join(packed, 'blocks'))),
    'rfs unpack': to((target) => run(rfs, ['unpack', '-q', '-m', flist, target])),
    'rfs unpack --verify': to((target) => run(rfs, ['unpack', '-q', '--verify', '-m', flist, target])),
    'cp -a': to((target) => run('cp', ['-a', tree, target])),
    'tar x': to(async (target) => {
      await mkdir(target);
      await run('tar', ['-x', '-f', tar, '-C', target]);
    }),
  };
  if (present.includes(mksquashfs))
    ways['unsquashfs (lz4)'] = to((target) => run('unsquashfs', ['-q', '-n', '-d', target, squashfs]));
  const start = await nodeStart(bench);
  const { 'one core': oneCore, ...seconds } = await inTurn(bench, ways);

  const cores = availableParallelism();
  const limit = oneCore! / cores;
  const rows = Object.entries(seconds).map(([name, taken]) => [
    `\`${name}\``,
    `${taken.toFixed(2)} s`,
    `${Math.round(bytes / 1e6 / taken)} MB/s`,
    (limit / taken).toFixed(2),
    name.startsWith('rfs') ? (limit / (taken - start)).toFixed(2) : '',
    (seconds['cp -a']! / taken).toFixed(2),
  ]);
  return [
    `${describeSize({ files, bytes })}: copies of \`${sources.join('`, `')}\`. What is read is in memory, each target is new.`,
    '',
    ...markdownTable([
      ['', 'time', 'rate', 'of the limit', "beyond Node's start", 'of cp -a'],
      [
        'the limit of decoding',
        `${limit.toFixed(2)} s`,
        `${Math.round(bytes / 1e6 / limit)} MB/s`,
        '1.00',
        '',
        '',
      ],
      ...rows,
    ]),
    '',
    `The limit: one core decodes ${Math.round(bytes / 1e6 / oneCore!)} MB/s of these blocks from memory; ${cores} cores are taken to do ${cores} times that. \`cp -a\` is what the file system takes.`,
    `Node.js alone starts and ends in ${start.toFixed(3)} s. ${remark}`,
  ];
}

/** Megabytes of plain bytes a second that one thread decodes, of at most 256 MB of blocks in memory. */
async function decodeRate(manifest: Manifest, blocks: string): Promise<number> {
  const store = new DirStore(blocks);
  let [bytes, milliseconds] = [0, 0];
  for (const [, ref] of manifest.blockRefs()) {
    const blob = await store.get(ref.id);
    const start = performance.now();
    const plain = decodePlain(blob, ref);
    milliseconds += performance.now() - start;
    bytes += plain.length;
    release(plain);
    if (bytes > 256e6) break;
  }
  return bytes / 1e3 / milliseconds;
}
