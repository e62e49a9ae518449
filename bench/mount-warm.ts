/**
 * Reading from a mount what is already on this machine: a large file whole and at random, and 20,000 files of 4 KiB; beside the disk itself and
 * other read-only file systems of the same tree.
 * Usage: tools/with-node24 bench/mount-warm.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../src/base/exec.ts';
import { readFigures, socketsOf } from '../src/mount/top/read-figures.ts';
import { type Bench, benchmark, inTurn } from './benchmark.ts';
import { markdownTable } from './section.ts';

const rfs = join(import.meta.dirname, '../rfs');
const largeSize = 1 << 30;
const directories = 200;
const filesPerDirectory = 100;
const fileSize = 4096;

/** A way to see the same two trees: mounted at `mnt` below its own directory. */
interface FileSystem {
  readonly name: string;
  readonly mount: (tree: string, mountpoint: string) => Promise<unknown>;
}

/** Makes an image of a tree, once. */
async function image(file: string, make: (file: string) => Promise<unknown>): Promise<string> {
  if (!existsSync(file)) await make(file);
  return file;
}

const uncompressed = ['-noI', '-noD', '-noF', '-noX', '-quiet', '-no-progress'];
const squashfs = (tree: string) =>
  image(`${tree}.squashfs`, (file) => run('mksquashfs', [tree, file, ...uncompressed]));
const ext4 = (tree: string) =>
  image(`${tree}.ext4`, (file) => run('mke2fs', ['-q', '-t', 'ext4', '-d', tree, file, '3G']));
const erofs = (tree: string) => image(`${tree}.erofs`, (file) => run('mkfs.erofs', ['--quiet', file, tree]));

const rfsMount = (io: string) => ({
  name: `rfs mount, ${io}`,
  mount: (tree: string, mountpoint: string) =>
    run(rfs, ['mount', '-d', '-m', `${tree}.fl`, '-c', `${tree}.cache`, '--io', io, mountpoint]),
});

const fileSystems: readonly FileSystem[] = [
  rfsMount('passthrough'),
  rfsMount('no-open'),
  {
    name: 'squashfuse_ll',
    mount: async (tree, mountpoint) => run('squashfuse_ll', [await squashfs(tree), mountpoint]),
  },
  {
    name: 'fuse2fs',
    mount: async (tree, mountpoint) => run('fuse2fs', [await ext4(tree), mountpoint, '-o', 'ro']),
  },
  {
    name: 'fuse-overlayfs',
    mount: (tree, mountpoint) => run('fuse-overlayfs', ['-o', `lowerdir=${tree}`, mountpoint]),
  },
  {
    name: 'squashfs of the kernel',
    mount: async (tree, mountpoint) =>
      run('mount', ['-o', 'loop,ro', '-t', 'squashfs', await squashfs(tree), mountpoint]),
  },
  {
    name: 'EROFS of the kernel',
    mount: async (tree, mountpoint) =>
      run('mount', ['-o', 'loop,ro', '-t', 'erofs', await erofs(tree), mountpoint]),
  },
];

const shell = (script: string, ...args: string[]) => run('sh', ['-euc', script, 'sh', ...args]);

async function makeTrees({ work }: Bench): Promise<void> {
  await mkdir(join(work, 'large'));
  const file = await open(join(work, 'large/file'), 'w');
  for (let written = 0; written < largeSize; written += 1 << 24) await file.write(randomBytes(1 << 24));
  await file.close();
  for (let directory = 0; directory < directories; directory++) {
    await mkdir(join(work, 'small', `${directory}`), { recursive: true });
    for (let index = 0; index < filesPerDirectory; index++)
      await writeFile(join(work, 'small', `${directory}`, `${index}`), randomBytes(fileSize));
  }
  for (const tree of ['large', 'small'])
    await run(rfs, [
      'pack',
      '-q',
      '-m',
      `${join(work, tree)}.fl`,
      '-s',
      `dir://${work}/blocks`,
      join(work, tree),
    ]);
}

/** What fio reports of reading a file: bytes a second and operations a second. */
async function fio(file: string, ...options: string[]): Promise<{ bw_bytes: number; iops: number }> {
  const fixed = [
    '--name=read',
    `--filename=${file}`,
    '--readonly',
    '--invalidate=0',
    '--ioengine=psync',
    '--output-format=json',
  ];
  const { stdout } = await run('fio', [...fixed, ...options]);
  return (JSON.parse(stdout.toString()) as { jobs: { read: { bw_bytes: number; iops: number } }[] }).jobs[0]!
    .read;
}

const seconds = async (task: () => Promise<unknown>) => {
  const start = performance.now();
  await task();
  return (performance.now() - start) / 1000;
};

/** Makes the kernel forget names, attributes and pages. */
const forget = () => shell('sync; echo 3 >/proc/sys/vm/drop_caches');

interface Measure {
  readonly title: string;
  readonly tree: 'large' | 'small';
  /** Whether everything was read just before, so that it is in memory. */
  readonly isWarm: boolean;
  /** Seconds that it takes. */
  readonly once: (directory: string) => Promise<number>;
}

const inDirectory = (script: string) => (directory: string) =>
  seconds(() => shell(`cd "$1" && ${script}`, directory));
const names = (program: string) => `find . -type f -print0 | xargs -0 ${program} >/dev/null`;
const readAll = inDirectory(names('cat'));

const measures: readonly Measure[] = [
  {
    title: '1 GiB file, from end to end',
    tree: 'large',
    isWarm: true,
    once: async (directory) =>
      largeSize / (await fio(join(directory, 'file'), '--rw=read', '--bs=128k')).bw_bytes,
  },
  {
    title: '1 GiB file, 100,000 times 4 KiB at random',
    tree: 'large',
    isWarm: true,
    once: async (directory) => {
      const options = ['--rw=randread', '--bs=4k', '--norandommap', '--time_based', '--runtime=2'];
      return 100_000 / (await fio(join(directory, 'file'), ...options)).iops;
    },
  },
  {
    title: '20,000 files, open, read and close',
    tree: 'small',
    isWarm: true,
    once: readAll,
  },
  {
    title: '20,000 files, stat with nothing in memory',
    tree: 'small',
    isWarm: false,
    once: async (directory) => {
      await forget();
      return inDirectory(names('stat -c %s'))(directory);
    },
  },
  {
    title: '20,000 files, `find -size` with nothing in memory',
    tree: 'small',
    isWarm: false,
    once: async (directory) => {
      await forget();
      return inDirectory('find . -size +1M >/dev/null')(directory);
    },
  },
];

const readsNote =
  'READs: requests of the kernel that the mount had to answer in one round. What is read was read just before, unless nothing is in memory.';

await benchmark(
  import.meta.filename,
  { title: 'Reading from a mount what is on this machine', rounds: 5 },
  async (bench) => {
    const { work, say } = bench;
    await makeTrees(bench);
    const mounted: string[] = [];
    const places: Place[] = [
      { name: 'the disk itself', directory: { large: join(work, 'large'), small: join(work, 'small') } },
    ];
    try {
      for (const { name, mount } of fileSystems) {
        const directory = { large: bench.fresh('mnt'), small: bench.fresh('mnt') };
        for (const tree of ['large', 'small'] as const) {
          await mkdir(directory[tree]);
          await mount(join(work, tree), directory[tree]);
          mounted.push(directory[tree]);
          // Twice: what a mount fetches at the first time, it has at the second.
          for (let time = 0; time < 2; time++) await readAll(directory[tree]);
        }
        places.push({ name, directory });
        say(`${name} is mounted`);
      }
      const sections: string[][] = [];
      for (const measure of measures) sections.push([...(await table(bench, measure, places)), '']);
      return [...sections.flat(), readsNote];
    } finally {
      for (const directory of mounted.toReversed()) await run('umount', ['-l', directory]);
    }
  },
);

interface Place {
  readonly name: string;
  readonly directory: Readonly<Record<'large' | 'small', string>>;
}

async function table(
  bench: Bench,
  { title, tree, isWarm, once }: Measure,
  places: readonly Place[],
): Promise<string[]> {
  bench.say(title);
  // After what the measure before left in memory.
  for (const { directory } of places) await once(directory[tree]);
  const reads = new Map<string, number>();
  const measure = async ({ name, directory }: Place) => {
    const path = directory[tree];
    if (isWarm) await readAll(path);
    const before = await readRequests(path);
    const taken = await once(path);
    const after = await readRequests(path);
    if (before !== undefined) reads.set(name, (reads.get(name) ?? 0) + after! - before);
    return taken;
  };
  const ways = Object.fromEntries(places.map((place) => [place.name, () => measure(place)]));
  const medians = await inTurn(bench, ways);
  const rows = Object.entries(medians).map(([name, value]) => [
    name,
    value.toFixed(3),
    (medians['the disk itself']! / value).toFixed(2),
    reads.has(name) ? `${Math.round(reads.get(name)! / bench.rounds)}` : '',
  ]);
  return markdownTable([[title, 's', 'of the disk', 'READs'], ...rows]);
}

/** How many READs a mount of ours was asked so far; undefined of what is none. */
async function readRequests(path: string): Promise<number | undefined> {
  const socket = await socketsOf(path).catch(() => undefined);
  return socket && (await readFigures(socket[0]!)).statistics.counters.read;
}
