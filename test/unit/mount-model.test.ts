/**
 * A mount under random use shows what was packed, whatever happens to its cache, its stores and its server meanwhile.
 * MOUNT_MODEL_SEED and MOUNT_MODEL_PATH repeat a run that failed, MOUNT_MODEL_RUNS makes more or fewer.
 */
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  rename,
  rm,
  truncate,
} from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { type Libc, loadLibc } from '../../src/base/libc.ts';
import { findMount } from '../../src/fuse/mount-table.ts';
import { leaveSignal } from '../../src/mount/life/serve.ts';
import { serverOf } from '../../src/mount/life/upgrade.ts';
import { requireFuse } from '../../src/mount/test-flist.ts';
import { testDirectory } from '../../src/store/test-directory.ts';
import { RandomDirectory } from './random-directory.ts';

beforeAll(requireFuse);

const runs = Number(process.env['MOUNT_MODEL_RUNS'] ?? 500);
const program = join(import.meta.dirname, '../../src/cli/rfs.ts');
const blockSize = 524288;
const modes = ['no-open', 'cached', 'passthrough'] as const;
type Mode = (typeof modes)[number];
/** What a read may give while no store is there. */
const outageCodes = ['EIO', 'ETIMEDOUT'];

const rfs = (...args: string[]) => run(process.execPath, [program, ...args], { timeout: 50_000 });

/** The mount that all runs use, and the files of which it was made. Each time that it is mounted, it serves files in another way. */
class Subject {
  readonly root: string;
  readonly libc: Libc;
  /** Paths below the source, as bytes. */
  readonly paths: Buffer[] = [];
  readonly files: Buffer[] = [];
  readonly handles: { readonly file: Buffer; readonly handle: FileHandle }[] = [];
  readonly deaths: number[] = [];
  outage = false;

  constructor(root: string, libc: Libc) {
    this.root = root;
    this.libc = libc;
  }

  at(name: string): string {
    return join(this.root, name);
  }

  path(side: 'mnt' | 'source', path: Buffer): Buffer {
    return Buffer.concat([Buffer.from(this.at(side)), path]);
  }

  async build(seed: number): Promise<void> {
    await mkdir(this.at('mnt'));
    await mkdir(this.at('source'));
    for (let i = 0; i < 6; i++) await RandomDirectory.make(join(this.at('source'), `${i}`), seed + i);
    await run('sh', [
      '-c',
      'head -c 9000000 /dev/urandom >"$1/large"; mkdir "$1/many"; cd "$1/many" && for i in $(seq 300); do echo $i >$i; done',
      'sh',
      this.at('source'),
    ]);
    await rfs('pack', '-m', this.at('tree.fl'), '-s', `dir://${this.at('right')}`, this.at('source'));
    await run('cp', ['-a', this.at('right'), this.at('faulty')]);
    await this.#walk(Buffer.alloc(0));
  }

  async #walk(directory: Buffer): Promise<void> {
    this.paths.push(directory);
    const entries = await readdir(this.path('source', directory), {
      withFileTypes: true,
      encoding: 'buffer',
    });
    for (const entry of entries) {
      const path = Buffer.concat([directory, Buffer.from('/'), entry.name]);
      if (entry.isDirectory()) await this.#walk(path);
      else this.paths.push(path);
      if (entry.isFile()) this.files.push(path);
    }
  }

  async mount(io: Mode): Promise<void> {
    const faults = 'fault=get:flip:0.1&fault=get:truncate:0.1&fault=get:error:0.2&fault=get:wrong:0.1&seed=1';
    await rfs(
      'mount',
      '-d',
      '-l',
      this.at('log'),
      '-m',
      this.at('tree.fl'),
      '-c',
      this.at('cache'),
      '--io',
      io,
      '-s',
      `fault+dir://${this.at('faulty')}?${faults}`,
      '-s',
      `dir://${this.at('right')}`,
      this.at('mnt'),
    );
  }

  async unmount(): Promise<void> {
    await run('umount', ['-l', this.at('mnt')]);
  }

  async keeper(): Promise<number> {
    return Number((await findMount(this.at('mnt')))!.source);
  }

  async setOutage(outage: boolean): Promise<void> {
    if (outage === this.outage) return;
    for (const store of ['right', 'faulty'])
      await (outage
        ? rename(this.at(store), this.at(`${store} away`))
        : rename(this.at(`${store} away`), this.at(store)));
    this.outage = outage;
  }

  /** A file of the cache, by a number; undefined when there is none. */
  async cached(choice: number): Promise<string | undefined> {
    const entries = await readdir(this.at('cache'), { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries
      .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
      .map((entry) => join(entry.parentPath, entry.name));
    return files.sort()[choice % files.length];
  }

  /** Reads a range on both sides; they are equal, or there is no store. */
  async compare(file: Buffer, handle: FileHandle, offset: number, length: number): Promise<void> {
    const source = await open(this.path('source', file), constants.O_RDONLY);
    try {
      const right = await source.read(Buffer.alloc(length), 0, length, offset);
      const seen = await handle
        .read(Buffer.alloc(length), 0, length, offset)
        .catch((error: NodeJS.ErrnoException) => {
          if (this.outage && outageCodes.includes(error.code!)) return undefined;
          throw error;
        });
      if (seen === undefined) return;
      expect(seen.bytesRead, `bytes of ${file} from ${offset} on`).toBe(right.bytesRead);
      expect(seen.buffer.equals(right.buffer), `${length} bytes of ${file} from ${offset} on are right`).toBe(
        true,
      );
    } finally {
      await source.close();
    }
  }
}

type Step = fc.AsyncCommand<object, Subject>;

/** A step that may be made at any time. */
const step = (name: string, make: (subject: Subject) => Promise<void>): Step => ({
  check: () => true,
  run: (_model, subject) => make(subject),
  toString: () => name,
});

/** A server may remove what it found to be damaged. */
function onlyGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

const at = <T>(list: readonly T[], choice: number): T => list[choice % list.length]!;
const nat = fc.nat(1 << 20);
const offset = fc.oneof(
  fc.nat(9_000_000),
  fc.nat(18).map((n) => Math.max(0, n * blockSize - 100)),
  fc.constant(0),
);
const length = fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constant(2 * blockSize + 5));

const steps = [
  nat.map((n) =>
    step(`look at ${n}`, async (subject) => {
      const path = at(subject.paths, n);
      const look = async (side: 'mnt' | 'source') => {
        const stats = await lstat(subject.path(side, path), { bigint: true });
        const { mode, uid, gid, rdev, mtimeNs } = stats;
        const size = stats.isDirectory() ? undefined : stats.size;
        const target = stats.isSymbolicLink()
          ? (await readlink(subject.path(side, path), 'buffer')).toString('latin1')
          : undefined;
        return { mode, uid, gid, rdev, mtimeNs, size, target };
      };
      expect(await look('mnt')).toEqual(await look('source'));
    }),
  ),
  nat.map((n) =>
    step(`list ${n}`, async (subject) => {
      const path = at(subject.paths, n);
      const list = (side: 'mnt' | 'source') =>
        readdir(subject.path(side, path), 'buffer').then(
          (names) => names.map((name) => name.toString('latin1')).sort(),
          (error: NodeJS.ErrnoException) => error.code,
        );
      expect(await list('mnt')).toEqual(await list('source'));
    }),
  ),
  fc.tuple(nat, fc.string({ minLength: 1, maxLength: 9, unit: 'binary-ascii' })).map(([n, name]) =>
    step(`look for no ${JSON.stringify(name)} in ${n}`, async (subject) => {
      const path = Buffer.concat([
        at(subject.paths, n),
        Buffer.from(`/${name.replace(/[\0/]/g, '.')} is not there`),
      ]);
      const code = (side: 'mnt' | 'source') =>
        lstat(subject.path(side, path)).then(
          () => 'found',
          (error) => error.code,
        );
      expect(await code('mnt')).toBe(await code('source'));
    }),
  ),
  fc.tuple(nat, offset, length, fc.boolean()).map(([n, offset, length, drop]) =>
    step(`read ${n} at ${offset}, ${length}${drop ? ', without the page cache' : ''}`, async (subject) => {
      const file = at(subject.files, n);
      const handle = await open(subject.path('mnt', file));
      try {
        if (drop) subject.libc.dropCached(handle.fd);
        await subject.compare(file, handle, offset, length);
      } finally {
        await handle.close();
      }
    }),
  ),
  nat.map((n) =>
    step(`open ${n}`, async (subject) => {
      const file = at(subject.files, n);
      subject.handles.push({ file, handle: await open(subject.path('mnt', file)) });
    }),
  ),
  fc.tuple(nat, offset, length).map(([n, offset, length]) =>
    step(`read from open ${n} at ${offset}, ${length}`, async (subject) => {
      if (subject.handles.length === 0) return;
      const { file, handle } = at(subject.handles, n);
      subject.libc.dropCached(handle.fd);
      await subject.compare(file, handle, offset, length);
    }),
  ),
  nat.map((n) =>
    step(`evict ${n}`, async (subject) => {
      const file = await subject.cached(n);
      if (file !== undefined) await rm(file, { force: true });
    }),
  ),
  fc.tuple(nat, nat).map(([n, place]) =>
    step(`flip a bit of ${n} in the cache`, async (subject) => {
      const name = await subject.cached(n);
      const file = name && (await open(name, 'r+').catch(onlyGone));
      if (!file) return;
      try {
        const { size } = await file.stat();
        const { buffer } = await file.read(Buffer.alloc(1), 0, 1, place % (size || 1));
        if (size > 0) await file.write(Buffer.of(buffer[0]! ^ (1 << (place & 7))), 0, 1, place % size);
      } finally {
        await file.close();
      }
    }),
  ),
  fc.tuple(nat, nat).map(([n, place]) =>
    step(`cut ${n} in the cache`, async (subject) => {
      const file = await subject.cached(n);
      if (file !== undefined) await truncate(file, place % blockSize).catch(onlyGone);
    }),
  ),
  fc
    .boolean()
    .map((outage) =>
      step(outage ? 'the stores go away' : 'the stores return', (subject) => subject.setOutage(outage)),
    ),
];

/** Rare, for a process takes a while to start. */
const rareSteps = [
  fc.constantFrom('SIGKILL' as const, leaveSignal).map((signal) =>
    step(`the server gets ${signal}`, async (subject) => {
      // More deaths than these in ten seconds are a mount that is given up.
      if (subject.deaths.length >= 4 && Date.now() - subject.deaths.at(-4)! < 11_000) return;
      subject.deaths.push(Date.now());
      process.kill(serverOf(await subject.keeper())!, signal);
    }),
  ),
  fc.constantFrom(...modes).map((io) =>
    step(`mount again, ${io}`, async (subject) => {
      await subject.unmount();
      await subject.mount(io);
    }),
  ),
];

const all = [
  ...steps.map((arbitrary) => ({ arbitrary, weight: 20 })),
  ...rareSteps.map((arbitrary) => ({ arbitrary, weight: 1 })),
];

test('a mount shows what was packed, whatever happens to its cache, its stores and its server', async () => {
  const seed = Number(process.env['MOUNT_MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const path = process.env['MOUNT_MODEL_PATH'];
  const subject = new Subject(await testDirectory(), (await loadLibc())!);
  await subject.build(seed);
  await subject.mount(modes[seed % modes.length]!);
  onTestFinished(() => subject.unmount());
  const property = fc.asyncProperty(
    fc.commands(
      all.flatMap(({ arbitrary, weight }) => Array(weight).fill(arbitrary)),
      { maxCommands: 12 },
    ),
    async (commands) => {
      try {
        await fc.asyncModelRun(() => ({ model: {}, real: subject }), commands as Iterable<Step>);
      } finally {
        await Promise.all(subject.handles.splice(0).map(({ handle }) => handle.close()));
        await subject.setOutage(false);
      }
    },
  );
  await fc.assert(property, { seed, numRuns: runs, ...(path !== undefined && { path }), endOnFailure: true });
}, 180_000);
