/**
 * Any directory survives: packed, unpacked (or mounted) and packed again it gives the same flist, also when stores fail on the way.
 * ROUND_TRIP_SEED runs one seed, ROUND_TRIP_SEEDS so many.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { type Libc, loadLibc } from '../../src/base/libc.ts';
import { readManifest } from '../../src/flist/manifest/manifest.ts';
import { packSource } from '../../src/flist/pack.ts';
import { openPackSource } from '../../src/flist/pack-source.ts';
import { RemoteBlocks } from '../../src/flist/unpack/remote-blocks.ts';
import { unpackManifest } from '../../src/flist/unpack/unpack.ts';
import { mountFlist } from '../../src/mount/mount-flist.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { removeTree, testDirectory } from '../../src/store/test-directory.ts';
import { Failover } from '../../src/store/wrappers/failover.ts';
import { FaultStore } from '../../src/store/wrappers/fault.ts';
import { parseFaultRule } from '../../src/store/wrappers/fault-rules.ts';
import { RandomDirectory } from './random-directory.ts';

const single = process.env['ROUND_TRIP_SEED'];
const count = Number(process.env['ROUND_TRIP_SEEDS'] ?? 200);
const first = Number(single ?? Math.floor(Math.random() * 1e9));
const seeds = Array.from({ length: single === undefined ? count : 1 }, (_, i) => first + i);
const owners = process.geteuid!() === 0;
const libc = (await loadLibc()) as Libc;
const whole = { start: 0x00, end: 0xff, url: 'memory:' };

/** What goes wrong with one of two replicas: everything, one way or another. */
const faults = [
  'put:error:0.3',
  'put:truncate:0.1',
  'put:flip:0.1',
  'get:error:0.3',
  'get:flip:0.2',
  'get:truncate:0.2',
  'get:wrong:0.2',
];
/** And with the other: what passes when it is asked again. */
const passing = ['put:error:first=1', 'get:error:first=1'];

/** A store for a seed; every second one with faults in all that it does. */
function storeOf(seed: number): Failover {
  if (seed % 2 === 0) return new Failover([{ route: whole, store: new MemoryStore() }]);
  const faulty = (rules: readonly string[]) =>
    new FaultStore(new MemoryStore(), { rules: rules.map(parseFaultRule), seed });
  const retries = { attempts: 12, pause: 0 };
  return new Failover([
    { route: whole, store: faulty(faults), retries },
    { route: whole, store: faulty(passing), retries },
  ]);
}

async function pack(directory: string, manifest: string, store: Failover): Promise<Buffer> {
  const source = await openPackSource(directory);
  try {
    await packSource(source, { manifest, store, routes: [], threads: 1 });
  } finally {
    await source.close();
  }
  return readFile(manifest);
}

async function roundTrip(root: string, seed: number): Promise<void> {
  const [source, target] = [join(root, `${seed}`), join(root, `${seed} again`)];
  await RandomDirectory.make(source, seed);
  const store = storeOf(seed);
  const before = await pack(source, join(root, 'before.fl'), store);
  const manifest = await readManifest(join(root, 'before.fl'));
  const { lost } = await unpackManifest(manifest, {
    directory: target,
    blocks: new RemoteBlocks(store),
    preserveOwnership: owners,
    threads: 0,
  });
  expect(lost).toEqual({});
  expect(snapshot(target)).toEqual(snapshot(source));
  const after = await pack(target, join(root, 'after.fl'), store);
  expect(after.equals(before), 'the flist of what was unpacked is the flist that was unpacked').toBe(true);
  await Promise.all([source, target].map(removeTree));
}

test('any directory, packed, unpacked and packed again, gives the same flist', async () => {
  const root = await testDirectory();
  for (const seed of seeds) {
    await roundTrip(root, seed).catch((cause: unknown) => {
      const repeat = `ROUND_TRIP_SEED=${seed} npm run test:unit -- test/unit/round-trip`;
      throw new Error(`seed ${seed}; to repeat: ${repeat}`, { cause });
    });
  }
}, 180_000);

test('any directory, packed and mounted, shows the same', async () => {
  const root = await testDirectory();
  for (const seed of seeds.slice(0, 3)) {
    const [source, mountpoint] = [join(root, `${seed}`), join(root, `${seed} mounted`)];
    await RandomDirectory.make(source, seed);
    await mkdir(mountpoint);
    const store = storeOf(seed);
    const manifest = join(root, 'mounted.fl');
    await pack(source, manifest, store);
    const mounted = await mountFlist({
      manifest,
      mountpoint,
      store,
      cache: join(root, 'cache'),
      log: () => {},
    });
    try {
      expect(await listing(mountpoint), `ROUND_TRIP_SEED=${seed}`).toBe(await listing(source));
    } finally {
      await mounted.unmount();
      await mounted.done;
    }
  }
});

/** Names, metadata and hashes as other programs see them; a process that serves a mount cannot look into it. */
async function listing(directory: string): Promise<string> {
  const script = `cd "$1" && find . -printf '%p %y %m %U %G %Ts %l\\0' | sort -z && find . -type f -print0 | sort -z | xargs -0r sha256sum`;
  const { stdout } = await run('sh', ['-c', script, 'sh', directory], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout.toString('latin1');
}

/** Everything about what lies below a directory, by path, read with nothing but the calls of the system. */
function snapshot(root: string): Map<string, unknown> {
  const found = new Map<string, unknown>();
  const firsts = new Map<bigint, string>();
  const look = (path: Buffer, name: string) => {
    const stats = lstatSync(path, { bigint: true });
    const { mode, uid, gid, rdev, mtimeNs, nlink, ino } = stats;
    const shared = !stats.isDirectory() && nlink > 1n ? (firsts.get(ino) ?? name) : undefined;
    firsts.set(ino, firsts.get(ino) ?? name);
    const xattrs = libc
      .listXattrs(path)
      .sort()
      .map((key) => [key, Buffer.from(libc.getXattr(path, key)!).toString('hex')]);
    const bytes = stats.isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : undefined;
    const target = stats.isSymbolicLink() ? readlinkSync(path, 'buffer').toString('latin1') : undefined;
    found.set(name, { mode, uid, gid, rdev, mtimeNs, shared, xattrs, bytes, target });
    if (!stats.isDirectory()) return;
    const names = readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const entry of names)
      look(Buffer.concat([path, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`);
  };
  look(Buffer.from(root), '');
  return found;
}
