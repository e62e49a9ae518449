/**
 * Unpacking a tree: how much of what the cores can decode, and of what the disk takes, `rfs unpack` reaches; beside a plain
 * copy and what other tools do with the same tree. Medians of ROUNDS rounds, all in turn, each into a new directory.
 * Usage: tools/with-node24 bench/unpack.ts [--rounds N] [--work DIRECTORY] [--write] DIRECTORY…
 */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure } from '../src/base/errors.ts';
import { run } from '../src/base/exec.ts';
import { formatTable } from '../src/base/table.ts';
import { decodePlain, initBlockCodec, release } from '../src/flist/block-codec.ts';
import { type Manifest, readManifest } from '../src/flist/manifest.ts';
import { DirStore } from '../src/store/dir.ts';
import { median, writeSection } from './section.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    work: { type: 'string', default: tmpdir() },
    write: { type: 'boolean', default: false },
  },
});
const sources = positionals.length > 0 ? positionals : ['/usr/share', '/usr/bin'];
const rfs = join(import.meta.dirname, '../rfs');
const work = await mkdtemp(join(options.work, 'zosbuilder-bench-'));
const at = (name: string) => join(work, name);

/** Ways from what lies in the work directory to a directory with the whole tree. */
const ways: Readonly<Record<string, (target: string) => Promise<unknown>>> = {
  'rfs unpack': (target) => run(rfs, ['unpack', '-q', '-m', at('tree.fl'), target]),
  'rfs unpack --verify': (target) => run(rfs, ['unpack', '-q', '--verify', '-m', at('tree.fl'), target]),
  'cp -a': (target) => run('cp', ['-a', at('tree'), target]),
  'tar x': async (target) => {
    await mkdir(target);
    await run('tar', ['-x', '-f', at('tree.tar'), '-C', target]);
  },
  'unsquashfs (lz4)': (target) => run('unsquashfs', ['-q', '-n', '-d', target, at('tree.squashfs')]),
};

/** What is made of the tree before, where the tool is installed. */
const archives: readonly (readonly [way: string, make: () => Promise<unknown>])[] = [
  ['tar x', () => run('tar', ['-c', '-f', at('tree.tar'), '-C', at('tree'), '.'])],
  [
    'unsquashfs (lz4)',
    () => run('mksquashfs', [at('tree'), at('tree.squashfs'), '-comp', 'lz4', '-quiet', '-no-progress']),
  ],
];

try {
  await initBlockCodec();
  await mkdir(at('tree'));
  for (const [index, source] of sources.entries())
    await cp(source, join(at('tree'), `${index}`), { recursive: true, verbatimSymlinks: true });
  await run(rfs, ['pack', '-q', '-m', at('tree.fl'), '-s', `dir://${at('blocks')}`, at('tree')]);
  const present = await availableWays();
  const manifest = await readManifest(at('tree.fl'));
  const { files, bytes } = sizeOf(manifest);

  const seconds = new Map<string, number[]>(present.map((name) => [name, []]));
  const decodeRates: number[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    decodeRates.push(await decodeRate(manifest));
    for (const name of present) seconds.get(name)!.push(await timed(ways[name]!));
  }

  const cores = availableParallelism();
  const limit = median(decodeRates) * cores;
  const rateOf = (name: string) => bytes / 1e6 / median(seconds.get(name)!);
  const rows = present.map((name) => [
    name,
    `${median(seconds.get(name)!).toFixed(2)} s`,
    `${Math.round(rateOf(name))} MB/s`,
    (rateOf(name) / limit).toFixed(2),
    (rateOf(name) / rateOf('cp -a')).toFixed(2),
  ]);
  const lines = [
    `${files} files, ${Math.round(bytes / 1e6)} MB (${sources.join(', ')}), ${cores} cores, medians of ${options.rounds} rounds. One core decodes`,
    `${Math.round(median(decodeRates))} MB/s of these blocks from memory, so the limit of decoding is ${Math.round(limit)} MB/s.`,
    '',
    ...formatTable(
      [['', 'time', 'rate', 'of the limit', 'of cp -a'], ...rows],
      ['left', 'right', 'right', 'right', 'right'],
    ).map((line) => `    ${line}`),
  ];
  console.log(lines.join('\n'));
  if (options.write) await writeSection('unpack', 'Unpack', lines);
} finally {
  await rm(work, { recursive: true, force: true });
}

/** Megabytes of plain bytes a second that one thread decodes, of at most 256 MB of blocks in memory. */
async function decodeRate(manifest: Manifest): Promise<number> {
  const store = new DirStore(at('blocks'));
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

async function timed(way: (target: string) => Promise<unknown>): Promise<number> {
  const target = at('target');
  await run('sync', ['-f', work]);
  try {
    const start = performance.now();
    await way(target);
    return (performance.now() - start) / 1000;
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

async function availableWays(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [way, make] of archives)
    await make().catch((error: unknown) => {
      if (!(error instanceof Failure) || error.kind !== 'missing-tool') throw error;
      missing.add(way);
    });
  return Object.keys(ways).filter((way) => !missing.has(way));
}

function sizeOf(manifest: Manifest): { files: number; bytes: number } {
  let [files, bytes] = [0, 0];
  for (const { mode, size } of manifest.inodes)
    if ((mode & 0o170000) === 0o100000) [files, bytes] = [files + 1, bytes + size];
  return { files, bytes };
}
