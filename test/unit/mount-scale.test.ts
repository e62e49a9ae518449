/** A mount of very much: what its server takes of memory and descriptors stays as it was. The sizes are those of issue 4, scaled down where that takes long. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { type BlockRef, blockSize, encodeBlock, initBlockCodec } from '../../src/flist/block/block-codec.ts';
import { ManifestWriter } from '../../src/flist/manifest/manifest-writer.ts';
import { findMount } from '../../src/fuse/mount-table.ts';
import { serverOf } from '../../src/mount/life/upgrade.ts';
import { requireFuse } from '../../src/mount/test-flist.ts';
import { DirStore } from '../../src/store/dir/dir.ts';

const rfs = join(import.meta.dirname, '../../rfs');
const MB = 1e6;

const directories = 2000;
const filesEach = 100;
const sharedSize = 200_000;
const sparseSize = 20 * 2 ** 30;
const sparseEnd = Buffer.from('the end');
const readers = 64;

let root: string;

beforeAll(async () => {
  requireFuse();
  await initBlockCodec();
  root = await mkdtemp(join(tmpdir(), 'zosbuilder-scale-'));
  await mkdir(join(root, 'copy'));
  const store = new DirStore(join(root, 'blocks'));
  const put = async (plain: Uint8Array): Promise<BlockRef> => {
    const { ref, blob } = await encodeBlock(plain);
    await store.put(ref.id, blob);
    return ref;
  };
  await writeSmall(await ManifestWriter.create(join(root, 'one.fl')), [], 1);
  await writeSmall(await ManifestWriter.create(join(root, 'many.fl')), [await put(randomBytes(sharedSize))]);
  const last = Buffer.concat([Buffer.alloc(blockSize - sparseEnd.length), sparseEnd]);
  const zeros = Array<BlockRef>(sparseSize / blockSize - 1).fill(await put(Buffer.alloc(blockSize)));
  const large = new Map([['sparse', { size: sparseSize, refs: [...zeros, await put(last)] }]]);
  for (let i = 0; i < 30; i++) {
    const content = randomBytes([3000, 400_000, 2_000_000][i % 3]!);
    await writeFile(join(root, 'copy', `file${i}`), content);
    const refs = [];
    for (let at = 0; at < content.length; at += blockSize)
      refs.push(await put(content.subarray(at, at + blockSize)));
    large.set(`file${i}`, { size: content.length, refs });
  }
  await writeLarge(await ManifestWriter.create(join(root, 'large.fl')), large);
}, 60_000);

afterAll(() => rm(root, { recursive: true, force: true }));

const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 1_700_000_000, mtime: 1_700_000_000 };
const directory = { ...metadata, mode: 0o040755, size: 4096 };
const file = { ...metadata, mode: 0o100644 };

const finish = (writer: ManifestWriter) =>
  writer.finish({ tags: new Map(), routes: [{ start: 0x00, end: 0xff, url: `dir://${root}/blocks` }] });

/** Directories with files that are all the same, or empty. */
async function writeSmall(
  writer: ManifestWriter,
  refs: readonly BlockRef[],
  count = directories,
): Promise<void> {
  let ino = 1;
  writer.add({ ...directory, ino, parent: 0, name: '/' });
  const size = refs.length * sharedSize;
  for (let i = 0; i < count; i++) {
    const parent = ++ino;
    writer.add({ ...directory, ino, parent: 1, name: `d${String(i).padStart(6, '0')}` });
    for (let j = 0; j < filesEach; j++)
      writer.add({ ...file, ino: ++ino, parent, name: `file-${String(j).padStart(4, '0')}`, size }, refs);
  }
  await finish(writer);
}

type LargeFiles = ReadonlyMap<string, { readonly size: number; readonly refs: readonly BlockRef[] }>;

async function writeLarge(writer: ManifestWriter, files: LargeFiles): Promise<void> {
  writer.add({ ...directory, ino: 1, parent: 0, name: '/' });
  for (const [i, [name, { size, refs }]] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)).entries())
    writer.add({ ...file, ino: 2 + i, parent: 1, name, size }, refs);
  await finish(writer);
}

/** A mount and the process that serves it. */
class Mount {
  readonly path: string;
  readonly #server: number;

  private constructor(path: string, server: number) {
    this.path = path;
    this.#server = server;
  }

  static async of(manifest: string, ...options: string[]): Promise<Mount> {
    const place = await mkdtemp(join(root, 'mount-'));
    const path = join(place, 'mnt');
    await mkdir(path);
    onTestFinished(async () => {
      await run('umount', ['-l', path]);
    });
    const log = join(place, 'log');
    const files = ['-m', join(root, manifest), '-c', join(place, 'cache'), '-l', log];
    await run(rfs, ['mount', '-d', ...files, ...options, path], { timeout: 50_000 });
    onTestFinished(async () => expect(notes(await readFile(log, 'utf8'))).toEqual([]));
    return new Mount(path, serverOf(Number((await findMount(path))!.source))!);
  }

  /** Bytes of memory that are the server's own: its program lies in further ones, which all that run it share. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.#server}/status`, 'latin1');
    return Number(/^RssAnon:\s*(\d+) kB$/m.exec(status)![1]) * 1024;
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.#server}/fd`).length;
  }

  /** What the server takes more after something than before. */
  async growth(something: () => Promise<void> | void): Promise<{ memory: number; descriptors: number }> {
    const { memory, descriptors } = this;
    await something();
    return { memory: this.memory - memory, descriptors: this.descriptors - descriptors };
  }
}

/** Lines of a log that are not about what the kernel of this machine cannot do. */
const notes = (log: string) =>
  log.split('\n').filter((line) => line !== '' && !/not passed through/.test(line));

test('an inode with its name and its block takes less than 180 bytes, with what listing them all leaves behind', async () => {
  const [one, many] = [await Mount.of('one.fl'), await Mount.of('many.fl')];
  const lines = (await run('find', [many.path], { timeout: 50_000 })).stdout;
  const inodes = directories * (filesEach + 1);
  expect(String(lines).trimEnd().split('\n').length).toBe(inodes + 1);
  expect((many.memory - one.memory) / inodes).toBeLessThan(180);
});

test.each([
  'passthrough',
  'cached',
  'no-open',
])('10,000 open files leave nothing behind when they are closed, with --io %s', async (io) => {
  const mount = await Mount.of('many.fl', '--io', io);
  const path = (i: number) =>
    join(
      mount.path,
      `d${String(Math.floor(i / 100)).padStart(6, '0')}`,
      `file-${String(i % 100).padStart(4, '0')}`,
    );
  const openAll = () => {
    const files = [openSync(path(0), 'r')];
    expect(readSync(files[0]!, Buffer.alloc(16))).toBe(16); // which brings the block into the cache
    for (let i = 1; i < 10_000; i++) files.push(openSync(path(i), 'r'));
    for (const each of files) closeSync(each);
  };
  openAll();
  const growth = await mount.growth(() => {
    for (let round = 0; round < 2; round++) openAll();
  });
  expect(growth.memory).toBeLessThan(20 * MB);
  expect(growth.descriptors).toBeLessThanOrEqual(0);
});

test(`${readers} readers of a cache that is too small get what was packed, from a server that does not grow`, async () => {
  const mount = await Mount.of('large.fl', '--cache-size', '8MiB');
  const seed = randomBytes(3).readUIntBE(0, 3);
  const readAll = async (round: number) => {
    await run(
      process.execPath,
      [
        join(import.meta.dirname, 'mount-readers.ts'),
        `${seed + 1000 * round}`,
        `${readers}`,
        '12',
        mount.path,
        join(root, 'copy'),
      ],
      { timeout: 50_000, env: { ...process.env, UV_THREADPOOL_SIZE: `${readers}` } },
    ).catch((cause) => {
      throw new Error(`with the seed ${seed}`, { cause });
    });
  };
  await readAll(0);
  const growth = await mount.growth(() => readAll(1));
  expect(growth.memory).toBeLessThan(20 * MB);
  expect(mount.memory).toBeLessThan(150 * MB);
  expect(growth.descriptors).toBeLessThan(100);
});

test('a file of 20 GiB is read anywhere in little memory', async () => {
  const mount = await Mount.of('large.fl');
  const path = join(mount.path, 'sparse');
  const readAround = async (start: number) => {
    const sparse = await open(path);
    const read = async (offset: number, size: number) =>
      (await sparse.read(Buffer.alloc(size, 1), 0, size, offset)).buffer;
    try {
      expect(await sparse.stat()).toMatchObject({ size: sparseSize, blocks: blockSize / 512 });
      expect(await read(sparseSize - sparseEnd.length, sparseEnd.length)).toEqual(sparseEnd);
      for (let offset = start; offset < sparseSize - blockSize; offset += 97 * blockSize)
        expect((await read(offset, 4096)).equals(Buffer.alloc(4096))).toBe(true);
    } finally {
      await sparse.close();
    }
    const skip = Math.floor(start / MB);
    await run('dd', [`if=${path}`, 'of=/dev/null', 'bs=1M', 'count=300', `skip=${skip}`], {
      timeout: 50_000,
    });
  };
  await readAround(0);
  const growth = await mount.growth(() => readAround(999 * MB));
  expect(growth.memory).toBeLessThan(20 * MB);
  expect(growth.descriptors).toBeLessThan(5); // the file is looked at in the background
});
