import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../base/exec.ts';
import { blockSize } from '../flist/block/block-codec.ts';
import { findMount } from '../fuse/mount-table.ts';
import { DirStore } from '../store/dir/dir.ts';
import type { Store } from '../store/store.ts';
import { makePlaces, mountForTest, type Places, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const bigSize = 3 * blockSize + 12345;

/** A source directory with one of everything. */
async function makeSource({ source }: Places): Promise<void> {
  await sh(
    `cd $1
     mkdir -p dir/sub/deep empty bin; printf hello >dir/hello; : >dir/nothing; printf 'a\\n' >'dir/with space'
     printf x >"dir/$(printf 'new\\nline')"; printf y >dir/größe; printf z >dir/$(printf '%0255d' 7)
     ln -s hello dir/link; ln -s /no/such/target dir/dangling; ln -s dir link-to-dir
     mknod dir/null c 1 3; mknod dir/disk b 259 70000; mkfifo dir/fifo
     chmod 4755 dir/hello; chmod 0 dir/nothing; chmod 1777 empty; chown 1234:4321 dir/hello; chown -h 12:34 dir/link
     touch -d @1 dir/hello; touch -d @-5 dir/nothing; touch -h -d @4000000000 dir/link; touch -d @0 empty`,
    source,
  );
  await writeFile(join(source, 'big'), randomBytes(bigSize));
  await writeFile(join(source, 'zeros'), Buffer.alloc(2 * blockSize));
  await cp('/bin/true', join(source, 'bin', 'true'));
}

/** What stat(1) says of every entry below a directory, in one line each. The size of a directory says nothing. */
const statAll = (directory: string) =>
  sh(
    `cd $1
     find . -type d -exec stat -c '%n|%F|%a|%u|%g|%h|%Y' {} + | LC_ALL=C sort
     find . ! -type d -exec stat -c '%n|%F|%a|%u|%g|%h|%Y|%s|%t:%T|%N' {} + | LC_ALL=C sort`,
    directory,
  );

async function packed(make: (places: Places) => Promise<unknown> = makeSource): Promise<Places> {
  const places = await makePlaces();
  await make(places);
  await packSource(places);
  return places;
}

const packedBig = () => packed(({ source }) => writeFile(join(source, 'big'), randomBytes(bigSize)));

const storedBlocks = async (directory: string) =>
  (await readdir(directory, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Makes the kernel forget a file's pages, so that reads reach the server again. */
const dropPages = (file: string) => sh('dd if=$1 iflag=nocache count=0 status=none', file);

test('a mount shows exactly what was packed', async () => {
  const places = await packed(async (places) => {
    await makeSource(places);
    await sh('cd $1/dir/sub; i=0; while [ $i -lt 1000 ]; do : >f$i; i=$((i+1)); done', places.source);
  });
  await mountForTest(places);
  // diff opens no devices and no fifos; stat sees them.
  await sh('diff -r --no-dereference -x null -x disk -x fifo $1 $2', places.source, places.mountpoint);
  expect(await statAll(places.mountpoint)).toBe(await statAll(places.source));
  expect(await sh('ls -a $1/dir/sub | wc -l', places.mountpoint)).toBe('1003\n');
});

test('the mount is recognised as that of rfs, read-only, and honours setuid', async () => {
  const places = await packed();
  await mountForTest(places);
  const mount = await sh('findmnt -nro FSTYPE,SOURCE,OPTIONS $1', places.mountpoint);
  const [type, source, options] = mount.trim().split(' ');
  expect([type, source]).toEqual(['fuse.g8ufs', String(process.pid)]);
  expect(options!.split(',')).toEqual(
    expect.arrayContaining(['ro', 'nodev', 'allow_other', 'default_permissions']),
  );
  expect(options).not.toContain('nosuid');
  expect(await sh('cat /sys/class/bdi/$(mountpoint -d $1)/read_ahead_kb', places.mountpoint)).toBe('1024\n');
});

test('statfs counts the bytes and inodes of the flist, with nothing free', async () => {
  const places = await packed(({ source }) => writeFile(join(source, 'file'), Buffer.alloc(1_000_000)));
  await mountForTest(places);
  const [size, blocks, free, files] = (await sh("stat -f -c '%S %b %f %c' $1", places.mountpoint))
    .trim()
    .split(' ')
    .map(Number);
  expect([size, free, files]).toEqual([4096, 0, 2]);
  expect(blocks! * size!).toBeGreaterThanOrEqual(1_000_000);
});

test('what cannot be done fails with the right error, each time', async () => {
  const places = await packed();
  await mountForTest(places);
  const failures = {
    'cat $1/no/such': 'No such file',
    'cat $1/missing': 'No such file',
    'cat $1/dir': 'Is a directory',
    'cat $1/dir/hello/x': 'Not a directory',
    'touch $1/new': 'Read-only file system',
    'rm $1/dir/hello': 'Read-only file system',
    'dd if=/dev/zero of=$1/dir/hello count=1': 'Read-only file system',
    'mount -i -o remount,rw $1; touch $1/new': 'Read-only file system',
    'rm $1/dir/hello ': 'Read-only file system',
  };
  for (const [script, message] of Object.entries(failures))
    for (const time of ['when asked', 'from the cache of the kernel'])
      await expect(sh(script, places.mountpoint), `${script} ${time}`).rejects.toMatchObject({
        cause: { message: expect.stringContaining(message) },
      });
});

test('a file of several blocks is right at any offset, read by many at once', async () => {
  const places = await packedBig();
  await mountForTest(places);
  const expected = await readFile(join(places.source, 'big'));
  const offsets = [
    0,
    1,
    blockSize - 1,
    blockSize,
    2 * blockSize - 4097,
    bigSize - 1,
    bigSize,
    bigSize + blockSize,
  ];
  for (let i = 0; i < 30; i++) offsets.push(Math.floor(Math.random() * bigSize));
  const parts = await Promise.all(
    offsets.map(async (offset) => {
      const part = await run('dd', [
        `if=${join(places.mountpoint, 'big')}`,
        'bs=300000',
        'count=1',
        'iflag=skip_bytes',
        `skip=${offset}`,
        'status=none',
      ]);
      return { offset, right: part.stdout.equals(expected.subarray(offset, offset + 300_000)) };
    }),
  );
  expect(parts.filter(({ right }) => !right)).toEqual([]);
});

test('a program runs from the mount', async () => {
  const places = await packed();
  await mountForTest(places);
  await sh('$1/bin/true', places.mountpoint);
});

test('a block is fetched once, and not again by the next mount with the same cache', async () => {
  const places = await packed();
  let fetched: string[] = [];
  const directory = new DirStore(places.store);
  const store: Store = Object.create(directory, {
    address: { value: directory.address },
    get: {
      value: (id: string) => {
        fetched.push(id);
        return directory.get(id);
      },
    },
  });
  const readAll = () => sh('cat $1/big $1/zeros $1/zeros | sha256sum', places.mountpoint);
  const first = await mountForTest(places, { store });
  const digest = await readAll();
  await first.unmount();
  await first.done;
  expect(fetched.length).toBe(new Set(fetched).size);
  expect(fetched.length).toBe(4); // nobody asks for zeros
  fetched = [];
  await mountForTest(places, { store });
  expect(await readAll()).toBe(digest);
  expect(fetched).toEqual([]);
});

test('a damaged block gives EIO, one line in the log, and never wrong bytes; the rest of the file stays readable', async () => {
  const places = await packedBig();
  const [blob] = await storedBlocks(places.store);
  const bytes = await readFile(blob!);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(blob!, bytes);
  const mounted = await mountForTest(places);
  const file = join(places.mountpoint, 'big');
  const outcomes: string[] = [];
  for (let block = 0; block < 4; block++) {
    const place = ['bs=524288', 'count=1', `skip=${block}`, 'status=none'];
    const expected = await run('dd', [`if=${join(places.source, 'big')}`, ...place]);
    for (let i = 0; i < 2; i++) {
      const read = await run('dd', [`if=${file}`, ...place], { accept: [0, 1] });
      if (read.code === 0) expect(read.stdout.equals(expected.stdout)).toBe(true);
      outcomes.push(
        read.code === 0 ? 'right' : /Input\/output error/.test(read.stderr) ? 'EIO' : read.stderr,
      );
    }
  }
  expect(outcomes.toSorted()).toEqual(['EIO', 'EIO', ...Array(6).fill('right')]);
  expect(mounted.lines).toHaveLength(1);
  expect(mounted.lines[0]).toContain(blob!.split('/').at(-1));
  expect(mounted.lines[0]).toContain(places.store);
});

test.each([
  ['torn', (file: string) => truncate(file, bigSize - 1000)],
  [
    'changed',
    (file: string) => sh('printf wrong | dd of=$1 bs=1 seek=600000 conv=notrunc status=none', file),
  ],
])('a cached file that is %s is fetched again and healed', async (_, damage) => {
  const places = await packedBig();
  const digest = await sh('sha256sum <$1/big', places.source);
  const readAndUnmount = async () => {
    const mounted = await mountForTest(places);
    expect(await sh('sha256sum <$1/big', places.mountpoint)).toBe(digest);
    await mounted.unmount();
    await mounted.done;
  };
  await readAndUnmount();
  const files = await storedBlocks(join(places.cache, 'files'));
  const [file, ...others] = files.filter((path) => !path.endsWith('.map'));
  expect(others).toEqual([]);
  await damage(file!);
  await readAndUnmount();
  await rm(places.store, { recursive: true });
  await readAndUnmount();
});

test('what is read once is not kept', async () => {
  const places = await packedBig();
  await mountForTest(places, { readOnce: true });
  await sh('cmp $1/big $2/big', places.mountpoint, places.source);
  await expect(readdir(places.cache)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('while the store is gone reads fail, and they work again when it is back', async () => {
  const places = await packedBig();
  await rename(places.store, `${places.store}.away`);
  await mountForTest(places);
  await expect(sh('cat $1/big', places.mountpoint)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/Input\/output error|timed out/) },
  });
  await sh('stat $1/big', places.mountpoint);
  await rename(`${places.store}.away`, places.store);
  await sh('cmp $1/big $2/big', places.mountpoint, places.source);
});

test('a store that does not answer gives ETIMEDOUT, and names and cached files still answer meanwhile', async () => {
  const places = await packedBig();
  const silent: Store = Object.create(new DirStore(places.store), {
    address: { value: 'test:silent' },
    get: { value: () => new Promise(() => {}) },
  });
  const mounted = await mountForTest(places, { store: silent, deadline: 300 });
  const reading = expect(sh('cat $1/big', places.mountpoint)).rejects.toMatchObject({
    cause: { message: expect.stringContaining('Connection timed out') },
  });
  await sh('stat $1/big; ls $1', places.mountpoint);
  await reading;
  expect(mounted.lines[0]).toContain('test:silent did not answer within 300 ms');
});

test('a cache that cannot be written costs one line in the log, not the read', async () => {
  const places = await packedBig();
  await writeFile(places.cache, 'a file in the way');
  const mounted = await mountForTest(places);
  await sh('cmp $1/big $2/big', places.mountpoint, places.source);
  await dropPages(join(places.mountpoint, 'big'));
  await sh('cmp $1/big $2/big', places.mountpoint, places.source);
  expect(mounted.lines).toHaveLength(1);
});

test('umount by anybody ends the mount and leaves nothing', async () => {
  const places = await packed();
  const mounted = await mountForTest(places);
  await sh('umount $1', places.mountpoint);
  await mounted.done;
  expect(await findMount(places.mountpoint)).toBeUndefined();
  expect(await readdir(places.mountpoint)).toEqual([]);
  await mounted.unmount();
});

test('a mount in use is taken off and serves its user to the end', async () => {
  const places = await packed();
  const mounted = await mountForTest(places);
  const user = spawn('sh', ['-c', 'read line; cat hello'], {
    cwd: join(places.mountpoint, 'dir'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void user.kill());
  await once(user, 'spawn');
  await mounted.unmount();
  expect(await findMount(places.mountpoint)).toBeUndefined();
  user.stdin.end('\n');
  expect(String((await once(user.stdout, 'data'))[0])).toBe('hello');
  await mounted.done;
});

test('two mounts of one flist share a cache', async () => {
  const places = await packedBig();
  const other = join(places.mountpoint, '..', 'other');
  await mkdir(other);
  await mountForTest(places);
  await mountForTest({ ...places, mountpoint: other });
  await sh('cmp $1/big $2/big & cmp $2/big $3/big; wait', places.mountpoint, other, places.source);
});

test.each([
  ['a manifest that is missing', (places: Places) => rm(places.manifest), 'not-found'],
  ['a manifest that is none', (places: Places) => writeFile(places.manifest, 'no database'), 'corrupt'],
  [
    'a directory that is missing',
    (places: Places) => rm(places.mountpoint, { recursive: true }),
    'not-found',
  ],
])('%s is a clear failure', async (_, spoil, kind) => {
  const places = await packedBig();
  await spoil(places);
  await expect(mountForTest(places)).rejects.toMatchObject({ name: 'Failure', kind });
});

test('a worker that does not start is a clear failure that leaves nothing', async () => {
  const places = await packedBig();
  const worker = new URL('data:text/javascript,throw new Error("no such bundle")');
  await expect(mountForTest(places, { worker })).rejects.toMatchObject({
    name: 'Failure',
    message: 'the server of the mount broke down',
    cause: { message: 'no such bundle' },
  });
  expect(await findMount(places.mountpoint)).toBeUndefined();
});

test('a directory that is mounted already is refused, and the mount there lives on', async () => {
  const places = await packed();
  await mountForTest(places);
  await expect(mountForTest(places)).rejects.toMatchObject({ name: 'Failure', kind: 'conflict' });
  expect(await sh('cat $1/dir/hello', places.mountpoint)).toBe('hello');
});
