/**
 * What commands take of memory for very many files. A million of them have to fit into 400 MB; here are fewer, and the bounds are what was
 * measured and a quarter more: an object that is kept for each file takes more than that.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeTarHeader } from '../../src/archive/tar.ts';
import { forEachParallel } from '../../src/base/parallel.ts';
import { formatTable } from '../../src/base/table.ts';
import { type BlockRef, encodeBlock, initBlockCodec } from '../../src/flist/block/block-codec.ts';
import { ManifestWriter } from '../../src/flist/manifest/manifest-writer.ts';
import { DirStore } from '../../src/store/dir/dir.ts';
import { root as project } from './markdown.ts';

interface Case {
  readonly name: string;
  /** The most that it may take, in MB. */
  readonly most: number;
  /** Arguments of rfs; the trees and flists are `at`. */
  readonly arguments: (at: string) => string[];
  /** Where what it prints goes. */
  readonly output?: string;
}

const flistFiles = 150_000;
/** A tree on a disk is smaller: to make one takes long. */
const treeFiles = 20_000;
const filesEach = 500;
const contents = 512;
const contentSize = 100;

/** Memory where there is some: how much a command takes does not depend on the disk. */
const scratch = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
let ground: string;
const blocks = () => `dir://${ground}/blocks`;

const ofFlists: readonly Case[] = [
  { name: 'dump', most: 160, arguments: (at) => ['dump', `${at}/old.fl`], output: 'dump' },
  { name: 'from-dump', most: 175, arguments: (at) => ['from-dump', '-m', `${at}/copy.fl`, `${at}/dump`] },
  { name: 'diff', most: 195, arguments: (at) => ['diff', `${at}/old.fl`, `${at}/new.fl`] },
  { name: 'du', most: 190, arguments: (at) => ['du', `${at}/old.fl`, `${at}/new.fl`] },
  { name: 'flist tree', most: 150, arguments: (at) => ['flist', 'tree', `${at}/old.fl`] },
  { name: 'flist inspect', most: 140, arguments: (at) => ['flist', 'inspect', `${at}/old.fl`] },
  {
    name: 'config',
    most: 195,
    arguments: (at) => ['config', '-m', `${at}/new.fl`, 'tag', 'add', '-t', 'a=b'],
  },
  { name: 'verify', most: 200, arguments: (at) => ['verify', '-s', blocks(), `${at}/old.fl`] },
  { name: 'gc', most: 150, arguments: (at) => ['gc', '-s', blocks(), `${at}/old.fl`] },
  {
    name: 'clone',
    most: 220,
    arguments: (at) => ['clone', '-m', `${at}/old.fl`, '--from', blocks(), '-s', `dir://${at}/cloned`],
  },
  {
    name: 'pack of a flist',
    most: 230,
    arguments: (at) => ['pack', '--dry-run', '-m', `${at}/x.fl`, '-s', blocks(), `${at}/old.fl`],
  },
];

const ofTrees: readonly Case[] = [
  {
    name: 'unpack',
    most: 230,
    arguments: (at) => ['unpack', '-m', `${at}/old.fl`, '-s', blocks(), `${at}/tree`],
  },
  {
    name: 'pack',
    most: 260,
    arguments: (at) => ['pack', '-m', `${at}/first.fl`, '-s', `dir://${at}/blocks`, `${at}/tree`],
  },
  {
    name: 'pack --previous',
    most: 190,
    arguments: (at) => [
      ...['pack', '--previous', `${at}/first.fl`, '-m', `${at}/second.fl`],
      ...['-s', `dir://${at}/blocks`, `${at}/tree`],
    ],
  },
  {
    name: 'pack of an archive',
    most: 210,
    arguments: (at) => ['pack', '-m', `${at}/tar.fl`, '-s', `dir://${at}/tar-blocks`, `${at}/tree.tar`],
  },
];

const table: string[][] = [];

beforeAll(async () => {
  await initBlockCodec();
  ground = await mkdtemp(join(scratch, 'zosbuilder-memory-'));
});

afterAll(async () => {
  await rm(ground, { recursive: true, force: true });
  const head = ['command', 'files', 'peak', 'files', 'peak', 'bytes a file'];
  console.log(
    formatTable([head, ...table], ['left', 'right', 'right', 'right', 'right', 'right']).join('\n'),
  );
});

test('very many files take a bounded number of bytes each', { timeout: 180_000 }, async () => {
  const refs = await storeContents();
  const lanes = [
    { at: join(ground, 'flists'), files: flistFiles, cases: ofFlists },
    { at: join(ground, 'trees'), files: treeFiles, cases: ofTrees },
  ];
  const peaks = new Map<Case, number>();
  await forEachParallel(lanes, lanes.length, async ({ at, files, cases }) => {
    await makeFlists(at, files, refs);
    for (const each of cases) {
      const { name, most, output } = each;
      const count = name === 'pack of an archive' ? flistFiles : files;
      const peak = await peakOf(each.arguments(at), { CORES: '2' }, output && join(at, output));
      table.push([name, `${count}`, megabytes(peak), `${most} MB`]);
      peaks.set(each, peak);
    }
  });
  for (const [{ name, most }, peak] of peaks) expect(peak, name).toBeLessThan(most * 1e6);
});

test('a machine of many cores takes no more than others may', { timeout: 60_000 }, async () => {
  const tree = join(ground, 'large');
  await mkdir(tree);
  for (let i = 0; i < 4; i++) await writeFile(join(tree, `${i}`), randomBytes(24 << 20));
  const command = ['pack', '-m', `${tree}.fl`, '-s', `dir://${tree}.blocks`, tree];
  const peak = await peakOf(command, { CORES: '64' });
  table.push(['pack on 64 cores', '4', megabytes(peak), '400 MB']);
  expect(peak).toBeLessThan(400e6);
});

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

/** The most bytes that a command had in use. */
async function peakOf(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  output = '/dev/null',
): Promise<number> {
  const file = join(ground, `peak-${randomBytes(4).toString('hex')}`);
  const out = await open(output, 'w');
  try {
    const preload = ['--import', join(project, 'test/unit/peak-memory.ts')];
    const child = spawn(process.execPath, [...preload, join(project, 'src/cli/rfs.ts'), ...args], {
      env: { ...process.env, ...env, PEAK_FILE: file, NODE_COMPILE_CACHE: join(ground, 'compiled') },
      stdio: ['ignore', out.fd, 'pipe'],
    });
    const errors: Buffer[] = [];
    child.stderr!.on('data', (chunk: Buffer) => errors.push(chunk));
    const [code] = await once(child, 'close');
    const isDone = code === 0 || (code === 1 && args[0] === 'diff');
    expect(isDone, `${args.join(' ')}: ${Buffer.concat(errors)}`).toBe(true);
  } finally {
    await out.close();
  }
  return Number(await readFile(file, 'utf8')) * 1024;
}

async function storeContents(): Promise<BlockRef[]> {
  const store = new DirStore(join(ground, 'blocks'));
  return Promise.all(
    Array.from({ length: contents }, async () => {
      const { ref, blob } = await encodeBlock(randomBytes(contentSize));
      await store.put(ref.id, blob);
      return ref;
    }),
  );
}

/** Two flists that differ in every file, and an archive of many. */
async function makeFlists(at: string, files: number, refs: readonly BlockRef[]): Promise<void> {
  await mkdir(at);
  await writeFlist(join(at, 'old.fl'), files, refs);
  await writeFlist(join(at, 'new.fl'), files, refs.toReversed());
  await pipeline(tarOf(flistFiles), createWriteStream(join(at, 'tree.tar'), { highWaterMark: 1 << 20 }));
}

const usual = { uid: 0, gid: 0, rdev: 0, ctime: 1_700_000_000, mtime: 1_700_000_000 };
const nameOf = (number: number) => `file-of-the-tree-${number}`.padEnd(28, '-');
const directoryOf = (number: number) => `directory-${`${number}`.padStart(4, '0')}`;

async function writeFlist(path: string, files: number, refs: readonly BlockRef[]): Promise<void> {
  const writer = await ManifestWriter.create(path);
  let ino = 1;
  const folder = { ...usual, mode: 0o040755, size: 4096 };
  writer.add({ ...folder, ino, parent: 0, name: '/' });
  for (let first = 0; first < files; first += filesEach) {
    const parent = ++ino;
    writer.add({ ...folder, ino, parent: 1, name: directoryOf(first / filesEach) });
    const names = Array.from({ length: filesEach }, (_, i) => nameOf(first + i)).sort();
    for (const name of names) {
      const file = { ...usual, mode: 0o100644, size: contentSize, ino: ++ino, parent, name };
      writer.add(file, [refs[ino % refs.length]!]);
    }
  }
  await writer.finish({ routes: [{ start: 0x00, end: 0xff, url: blocks() }] });
}

/** An archive of empty files, in another order than that of a flist. */
async function* tarOf(files: number): AsyncGenerator<Uint8Array> {
  const [none, zero] = [Buffer.alloc(0), { uid: 0, gid: 0, size: 0, major: 0, minor: 0 }];
  const header = { ...zero, mode: 0o644, mtime: 1_700_000_000, type: '0', linkName: none };
  for (let first = files - filesEach; first >= 0; first -= filesEach) {
    const below = directoryOf(first / filesEach);
    const names = Array.from({ length: filesEach }, (_, i) => Buffer.from(`${below}/${nameOf(first + i)}`));
    yield Buffer.concat(names.map((name) => encodeTarHeader({ ...header, name })));
  }
  yield Buffer.alloc(1024);
}
