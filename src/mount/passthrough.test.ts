/** Files that the kernel reads from the cache by itself: root, koffi and Linux 6.9 are needed. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../base/exec.ts';
import { findMount } from '../fuse/mount-table.ts';
import { serverOf } from './life/upgrade.ts';
import { makePlaces, mountForTest, type Places, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

/** For a file that is joined from its blocks: it is not looked at again so soon. */
const longEnough = { timeout: 20_000 };

/** Of one block, of several, and of so many that they are not hashed while somebody waits for the file. */
const sizes = { small: 1000, block: 200_000, blocks: 3_000_000, many: 9_000_000 };

async function packed(): Promise<Places> {
  const places = await makePlaces();
  for (const [name, size] of Object.entries(sizes))
    await writeFile(join(places.source, name), randomBytes(size));
  await packSource(places);
  return places;
}

/** A mount whose cache has everything already. */
async function mountFull(places: Places, options: Parameters<typeof mountForTest>[1] = {}) {
  const first = await mountForTest(places, { io: 'no-open' });
  await sh('cat $1/* >/dev/null', places.mountpoint);
  await first.unmount();
  await first.done;
  return mountForTest(places, options);
}

const wholeFiles = async ({ cache }: Places) =>
  (await readdir(join(cache, 'files'), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test('large files are read without one READ, and the store is not asked', async () => {
  const places = await packed();
  const mounted = await mountFull(places, { io: 'passthrough' });
  await rm(places.store, { recursive: true });
  const same = (name: string) => sh(`cmp $1/${name} $2/${name}`, places.mountpoint, places.source);
  await same('many'); // hashed in the background, for the next time
  await expect
    .poll(async () => {
      const before = mounted.statistics().counters.read;
      await sh('dd if=$1/many iflag=direct bs=1M count=1 status=none >/dev/null', places.mountpoint);
      return mounted.statistics().counters.read - before;
    })
    .toBe(0);
  const { read } = mounted.statistics().counters;
  for (const name of ['block', 'blocks', 'many']) {
    await same(name);
    await sh(
      `dd if=$1/${name} iflag=direct bs=64k status=none | cmp - $2/${name}`,
      places.mountpoint,
      places.source,
    );
  }
  expect(mounted.statistics().counters.read).toBe(read);
  await same('small'); // not worth it: its pages are the kernel's own
  expect(mounted.statistics().counters.read).toBe(read + 1);
  expect(mounted.lines).toEqual([]);
});

test('a file that was read for the first time is passed through the next', async () => {
  const places = await packed();
  const mounted = await mountForTest(places, { io: 'passthrough' });
  await sh('cmp $1/blocks $2/blocks', places.mountpoint, places.source);
  const { read } = mounted.statistics().counters;
  expect(read).toBeGreaterThan(0);
  await expect
    .poll(async () => {
      const before = mounted.statistics().counters.read;
      await sh('dd if=$1/blocks iflag=direct bs=1M count=1 status=none >/dev/null', places.mountpoint);
      return mounted.statistics().counters.read - before;
    })
    .toBe(0);
});

test('a file with equal blocks is passed through as any other', async () => {
  const places = await makePlaces();
  const block = randomBytes(1 << 19);
  await writeFile(join(places.source, 'equal'), Buffer.concat([block, block, randomBytes(1 << 19), block]));
  await packSource(places);
  const mounted = await mountForTest(places, { io: 'passthrough' });
  await sh('cmp $1/equal $2/equal', places.mountpoint, places.source);
  await expect
    .poll(async () => {
      const before = mounted.statistics().counters.read;
      await sh('dd if=$1/equal iflag=direct bs=1M count=1 status=none >/dev/null', places.mountpoint);
      return mounted.statistics().counters.read - before;
    }, longEnough)
    .toBe(0);
  await sh('cmp $1/equal $2/equal', places.mountpoint, places.source);
});

test('a cached file that was damaged is not passed through, and is right', async () => {
  const places = await packed();
  const mounted = await mountFull(places, { io: 'passthrough' });
  for (const path of await wholeFiles(places)) {
    const file = await open(path, 'r+');
    await file.write(Buffer.from('damage'), 0, 6, 1_000_000);
    await file.close();
  }
  await sh('for f in block blocks many; do cmp $1/$f $2/$f; done', places.mountpoint, places.source);
  expect(mounted.statistics().counters.read).toBeGreaterThan(0);
});

test('a cached file that is removed while it is passed through is read to its end', async () => {
  const places = await packed();
  await mountFull(places, { io: 'passthrough' });
  const script =
    'exec 3<$1/blocks; head -c 100000 <&3 >/dev/null; rm -r $2; tail -c +1 <&3 | tail -c 1000 | cmp - $3';
  const end = (await readFile(join(places.source, 'blocks'))).subarray(-1000);
  await writeFile(join(places.source, '..', 'end'), end);
  await sh(script, places.mountpoint, places.cache, join(places.source, '..', 'end'));
});

test('openings are counted: none without questions, one in each other way; nothing is held after the end', async () => {
  const places = await packed();
  const opened = async (io: 'no-open' | 'passthrough' | 'cached') => {
    const mounted = await mountFull(places, { io });
    await sh('for i in 1 2 3 4 5; do cat $1/block >/dev/null; done', places.mountpoint);
    const { open, read } = mounted.statistics().counters;
    await mounted.unmount();
    await mounted.done;
    return { open, read };
  };
  expect(await opened('no-open')).toMatchObject({ open: 1 });
  const cached = await opened('cached');
  expect(cached.open).toBe(5);
  expect(cached.read).toBeLessThanOrEqual(2); // pages outlive the closing of a file
  expect(await opened('passthrough')).toEqual({ open: 5, read: 0 });
  expect(await readdir(join(places.cache, 'state/held'))).toEqual([]);
});

test('the sizes of the files choose: these are worth it', async () => {
  const places = await packed();
  const mounted = await mountFull(places);
  expect(mounted.session.features).toContain('passthrough');
  await sh('cmp $1/block $2/block', places.mountpoint, places.source);
  expect(mounted.statistics().counters).toMatchObject({ open: 1, read: 0 });
  const small = await makePlaces();
  await sh('cd $1; for i in $(seq 100); do echo $i >$i; done', small.source);
  await packSource(small);
  const other = await mountForTest(small);
  expect(other.session.features).not.toContain('passthrough');
});

test('what is passed through is read on while no server runs, the next one goes on with it, and in the end nothing is held', async () => {
  const places = await packed();
  const rfs = (...args: string[]) =>
    run(process.execPath, [join(import.meta.dirname, '../cli/rfs.ts'), ...args], { timeout: 50_000 });
  onTestFinished(async () => {
    await sh('! mountpoint -q $1 || umount -l $1', places.mountpoint);
  });
  const log = join(places.source, '..', 'log');
  const { manifest, cache, mountpoint, source } = places;
  await rfs('mount', '-d', '-l', log, '-m', manifest, '-c', cache, '--io', 'passthrough', mountpoint);
  await sh('cmp $1/blocks $2/blocks', mountpoint, source);
  const keeper = Number((await findMount(mountpoint))!.source);
  const killServer = () => process.kill(serverOf(keeper)!, 'SIGKILL');
  // Stopped, the keeper starts nobody: what is read meanwhile is read without a server.
  const script = `exec 3<"$1"/blocks; head -c 1000000 <&3; kill -STOP $2; kill -9 $3; head -c 1000000 <&3; kill -CONT $2; cat <&3`;
  await sh(
    `(${script}) | cmp - "$4"`,
    mountpoint,
    String(keeper),
    String(serverOf(keeper)!),
    join(source, 'blocks'),
  );
  await sh(
    'exec 3<$1/blocks; stat -f $1 >/dev/null; cmp $1/blocks $2/blocks; cmp - $2/blocks <&3',
    mountpoint,
    source,
  );
  const holder = spawn(
    'sh',
    ['-c', 'exec 3<"$1"/blocks; echo; read -r line; cmp - "$2"/blocks <&3', 'sh', mountpoint, source],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  await once(holder.stdout, 'data');
  for (let kill = 0; kill < 2; kill++) {
    killServer();
    await sh('stat -f $1 >/dev/null; cmp $1/blocks $2/blocks', mountpoint, source);
  }
  holder.stdin.end('\n');
  expect(await once(holder, 'exit')).toEqual([0, null]);
  await sh('umount $1; tail --pid=$2 -f /dev/null', mountpoint, String(keeper));
  expect(await readFile(log, 'utf8')).not.toMatch(/fail|not passed/);
  expect(await readdir(join(cache, 'state/held'))).toEqual([]);
}, 120_000);
