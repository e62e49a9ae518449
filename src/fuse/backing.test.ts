/** Files that the kernel of this machine reads by itself. Needs Linux 6.9 with CONFIG_FUSE_PASSTHROUGH. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { dataByte, dataSize, type FixtureOptions } from './serve.fixture.ts';
import { type FixtureMount, mountFixture, requireRoot, type Surroundings, sh } from './test-mount.ts';

beforeAll(requireRoot);

/** What the backing file has in place of the bytes that the filesystem would give, so that one is told from the other. */
const backingByte = (offset: number) => dataByte(offset) ^ 0xff;

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'backing-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function backingFile(directory?: string): Promise<string> {
  const path = join(directory ?? (await scratch()), 'backing');
  await writeFile(
    path,
    Uint8Array.from({ length: dataSize }, (_, i) => backingByte(i)),
  );
  return path;
}

async function mountPassthrough(
  options: FixtureOptions = {},
  surroundings: Surroundings = {},
): Promise<FixtureMount> {
  const usual = { wanted: ['passthrough'], open: Array(50).fill('passthrough') } as const;
  return mountFixture({ ...usual, backing: await backingFile(), ...options }, surroundings);
}

/** Whether a file has the bytes of the backing file, of the filesystem, or neither. */
async function bytesOf(file: string): Promise<'backing' | 'filesystem' | 'neither'> {
  const firstBytes = async (byte: (offset: number) => number) =>
    (await sh(`head -c 64 "$1" | od -An -v -tx1 | tr -d ' \\n'`, file)) ===
    Buffer.from(Uint8Array.from({ length: 64 }, (_, i) => byte(i))).toString('hex');
  if (await firstBytes(backingByte)) return 'backing';
  return (await firstBytes(dataByte)) ? 'filesystem' : 'neither';
}

/** Somebody who has a file open until he is told to close it; may not have got it. */
async function user(file: string) {
  const script = `exec 3<"$1"; echo; while read -r word; do
      [ "$word" = read ] || exit 0; head -c 1 <&3 | od -An -tu1; done`;
  const child = spawn('sh', ['-c', script, 'sh', file], { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill());
  const ended = once(child, 'exit');
  const isOpen = await Promise.race([once(child.stdout, 'data').then(() => true), ended.then(() => false)]);
  return {
    isOpen,
    async readByte() {
      child.stdin.write('read\n');
      return Number(String((await once(child.stdout, 'data'))[0]));
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

test('the kernel reads the file by itself: in order, at random and directly, without one READ', async () => {
  const { mountpoint, data, requests, server } = await mountPassthrough();
  const { features } = await server.started();
  expect(features).toContain('passthrough');
  const backing = await backingFile();
  await sh('cmp $1 $2', data, backing);
  await sh('cp $1 $2', data, join(await scratch(), 'copy'));
  await sh('dd if=$1 iflag=direct bs=64k status=none | cmp - $2', data, backing);
  await sh(
    `perl -e 'open(F, "<$ARGV[0]") || die; for (1..100) {
       $o = int(rand(${dataSize} - 100)); sysseek(F, $o, 0); sysread(F, $b, 100) == 100 || die }' "$1"`,
    data,
  );
  const { open, read = 0, release } = await requests();
  expect({ read, open }).toEqual({ read: 0, open: 4 });
  expect(release).toBeLessThanOrEqual(4);
  expect(await sh('stat -c %s $1; ls $2', data, mountpoint)).toBe(`${dataSize}\ndata\nlink\n`);
  expect(server.errors).toEqual([]);
});

test('a file that is open stays in its mode, and changes it when the last user has closed it', async () => {
  const { data, server, count } = await mountPassthrough({ open: ['cached', 'passthrough', 'cached'] });
  const first = await user(data);
  expect(await bytesOf(data)).toBe('filesystem'); // not asked: it is open, and cached
  await first.close();
  await server.released('cached');
  const second = await user(data);
  const reads = await count('read');
  expect(await bytesOf(data)).toBe('backing');
  await second.close();
  await server.released('passthrough');
  expect(await count('read')).toBe(reads);
  expect(await bytesOf(data)).toBe('filesystem');
});

test('the kernel refuses another mode than that of the first, which is why a table keeps it', async () => {
  const { data, server, serveAgain } = await mountPassthrough();
  const first = await user(data);
  server.process.kill('SIGKILL');
  await server.ended;
  // This one knows nothing of what is open.
  const forgetful = serveAgain({ takeOver: await server.started(), open: ['cached'] });
  expect((await user(data)).isOpen).toBe(false);
  await first.close();
  await forgetful.released('cached');
  expect(await bytesOf(data)).toBe('filesystem');
});

test('a server that takes over knows what is passed through, gives it back, and may then choose again', async () => {
  const path = join(await scratch(), 'table');
  const table = openSync(path, 'wx+');
  rmSync(path);
  onTestFinished(() => closeSync(table));
  const { data, server, serveAgain, count } = await mountPassthrough({ keepsTable: true }, { table });
  const first = await user(data);
  server.process.kill('SIGKILL');
  await server.ended;
  expect(await first.readByte()).toBe(backingByte(0)); // nobody serves, and the file is read
  const next = serveAgain({ takeOver: await server.started(), keepsTable: true, open: ['cached'] });
  expect(await bytesOf(data)).toBe('backing');
  expect(await count('read')).toBe(0);
  await first.close();
  await next.released('passthrough');
  expect(await bytesOf(data)).toBe('filesystem');
  expect(next.errors).toEqual([]);
});

test('nothing is kept of a file that nobody has open: its file system comes off', async () => {
  const own = await scratch();
  await sh('mount -t tmpfs none $1', own);
  onTestFinished(() => sh('! mountpoint -q $1 || umount -l $1', own).then(() => {}));
  const { data, server } = await mountPassthrough({ backing: await backingFile(own) });
  const first = await user(data);
  for (let i = 0; i < 20; i++) await sh('head -c 1 $1 >/dev/null', data);
  await expect(sh('umount $1', own)).rejects.toThrow('busy');
  await first.close();
  await server.released('passthrough');
  await sh('umount $1', own);
  expect(server.errors).toEqual([]);
});

test('a backing file that is removed is read to the end by who has it open', async () => {
  const backing = await backingFile();
  const { data } = await mountPassthrough({ backing });
  const reader = spawn(
    'sh',
    ['-c', 'exec <"$1"; echo; read line <&3; cmp - "$2"', 'sh', data, '/proc/self/fd/4'],
    {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe', openSync(backing, 'r')],
    },
  );
  await once(reader.stdout!, 'data');
  await rm(backing);
  (reader.stdio[3] as NodeJS.WritableStream).end('\n');
  expect(await once(reader, 'exit')).toEqual([0, null]);
});

test('an overlay lies on the mount, and reads through to the file', async () => {
  const { mountpoint, count } = await mountPassthrough();
  const over = await scratch();
  await sh(`mount -t tmpfs none $1; mkdir $1/upper $1/work $1/merged`, over);
  onTestFinished(() => sh('umount $1/merged || :; umount $1', over).then(() => {}));
  await sh(
    'mount -t overlay none -o lowerdir=$2,upperdir=$1/upper,workdir=$1/work $1/merged',
    over,
    mountpoint,
  );
  expect(await bytesOf(join(over, 'merged/data'))).toBe('backing');
  expect(await count('read')).toBe(0);
});

test('a file on an overlay cannot be passed through, which is said, and it is cached instead', async () => {
  const over = await scratch();
  await sh(`mount -t tmpfs none $1; cd $1; mkdir lower upper work merged`, over);
  onTestFinished(() => sh('umount $1/merged || :; umount $1', over).then(() => {}));
  await sh('cd $1; mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work merged', over);
  const backing = await backingFile(join(over, 'merged'));
  const { data, server, requests } = await mountPassthrough({ backing });
  expect(await bytesOf(data)).toBe('filesystem');
  await requests();
  expect([...new Set(server.errors)]).toEqual([
    expect.stringContaining('passthrough does not work with files on a stacked'),
  ]);
});

test('without its agreement the kernel takes no file, which is said, and it is cached instead', async () => {
  const { data, server, requests } = await mountPassthrough({ wanted: [] });
  expect(await bytesOf(data)).toBe('filesystem');
  await requests();
  expect([...new Set(server.errors)]).toEqual([expect.stringContaining('passthrough was not agreed on')]);
});

test('without koffi it says so, and the file is cached', async () => {
  const directory = await scratch();
  await sh('cp $1/*.ts $2', import.meta.dirname, directory);
  const program = join(directory, 'serve.fixture.ts');
  const { data, server, requests } = await mountPassthrough({}, { program });
  expect(await bytesOf(data)).toBe('filesystem');
  await requests();
  expect([...new Set(server.errors)]).toEqual([
    expect.stringContaining('passthrough needs the npm package koffi'),
  ]);
});
