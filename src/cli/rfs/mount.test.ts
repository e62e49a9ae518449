import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { CacheDirectory } from '../../cache/cache-directory.ts';
import { Journal } from '../../cache/journal.ts';
import { findMount } from '../../fuse/mount-table.ts';
import { makePlaces, type Places, packSource, requireFuse, sh } from '../../mount/test-flist.ts';

beforeAll(requireFuse);

/** What the launcher starts. */
const program = join(import.meta.dirname, '../../../tools/with-bundle.cjs');

async function packed(): Promise<Places> {
  const places = await makePlaces();
  await writeFile(join(places.source, 'file'), 'the content');
  await packSource(places);
  onTestFinished(async () => {
    await sh('! mountpoint -q $1 || umount -l $1', places.mountpoint);
  });
  return places;
}

async function rfs(...args: readonly string[]) {
  const { code, stdout, stderr } = await run(process.execPath, [program, ...args], { accept: [0, 1, 2] });
  return { code, out: stdout.toString(), error: stderr };
}

const rfsMount = (...args: readonly string[]) => rfs('mount', ...args);

/** The process that serves a mount, by the rule of Zero-OS: the source of the mount is its pid. */
async function serverOf(mountpoint: string) {
  const pid = Number((await findMount(mountpoint))?.source);
  return { pid, arguments: (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0') };
}

/** Waits for the end of a process that is not a child of this one. */
const ended = (pid: number) => sh('tail --pid=$1 -f /dev/null', String(pid));

test('a daemon answers when the command returns, is found by its pid, and ends with umount', async () => {
  const places = await packed();
  const log = join(places.source, '..', 'log');
  const args = ['-m', places.manifest, '-c', places.cache, '-d', '-l', log, places.mountpoint];
  expect(await rfsMount(...args)).toEqual({ code: 0, out: '', error: '' });
  expect(await sh('cat $1/file', places.mountpoint)).toBe('the content');
  const server = await serverOf(places.mountpoint);
  expect(server.arguments).toContain(places.manifest);
  await sh('umount $1', places.mountpoint);
  await ended(server.pid);
  expect(await readFile(log, 'utf8')).toBe('');
});

test('a daemon that is told to end unmounts', async () => {
  const places = await packed();
  await rfsMount('--meta', places.manifest, '--cache', places.cache, '--daemon', places.mountpoint);
  const { pid } = await serverOf(places.mountpoint);
  process.kill(pid, 'SIGTERM');
  await ended(pid);
  expect(await findMount(places.mountpoint)).toBeUndefined();
});

test("a daemon's failure is the command's failure, with reason and hint, and is in the log", async () => {
  const places = await packed();
  const log = join(places.source, '..', 'log');
  const target = join(places.source, 'missing');
  const { code, error } = await rfsMount('-m', places.manifest, '-c', places.cache, '-d', '-l', log, target);
  expect(code).toBe(1);
  expect(error).toMatch(/^error: cannot mount on .*missing.*\nhint: mkdir -p /);
  expect(await readFile(log, 'utf8')).toBe(error);
});

test('in the foreground the command serves until a signal, and blocks come from the stores of the command line', async () => {
  const places = await packed();
  await rename(places.store, `${places.store}.moved`);
  const args = [
    '-m',
    places.manifest,
    '-c',
    places.cache,
    '-s',
    `dir://${places.store}.moved`,
    places.mountpoint,
  ];
  const server = spawn(process.execPath, [program, 'mount', ...args], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  onTestFinished(() => void server.kill('SIGKILL'));
  server.stderr.setEncoding('utf8');
  await sh('until mountpoint -q $1; do sleep 0.05; done', places.mountpoint);
  expect(await sh('cat $1/file', places.mountpoint)).toBe('the content');
  server.kill('SIGINT');
  expect(await once(server, 'exit')).toEqual([0, null]);
  expect(await findMount(places.mountpoint)).toBeUndefined();
});

test('a signal that comes as soon as there is a mount unmounts, and nobody takes over', async () => {
  const places = await packed();
  const args = ['mount', '-m', places.manifest, '-c', places.cache, places.mountpoint];
  const server = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  onTestFinished(() => void server.kill('SIGKILL'));
  await expect.poll(() => findMount(places.mountpoint), { interval: 1, timeout: 20_000 }).toBeDefined();
  const { pid } = await serverOf(places.mountpoint);
  server.kill('SIGTERM');
  expect(await once(server, 'exit')).toEqual([0, null]);
  await ended(pid);
  expect(await findMount(places.mountpoint)).toBeUndefined();
});

/** The process that serves for a keeper: its child, or before any died its parent. */
async function workerOf(keeper: number): Promise<number> {
  const found = await sh('ps -o pid= --ppid $1 || ps -o ppid= -p $1', String(keeper));
  return Number(found.trim());
}

/** Mounts in the background with a log, files that take a while to read, and what they hash to. */
async function mountedForDeath() {
  const places = await packed();
  await sh('cd $1; for i in 1 2 3 4 5 6 7 8; do head -c 3000000 /dev/urandom >$i; done', places.source);
  await packSource(places);
  const log = join(places.source, '..', 'log');
  const slow = `fault+dir://${places.store}?fault=get:delay=10ms`;
  await rfsMount('-m', places.manifest, '-c', places.cache, '-d', '-l', log, '-s', slow, places.mountpoint);
  const { pid } = await serverOf(places.mountpoint);
  const sums = await sh('cd $1; sha256sum *', places.source);
  return { places, log, keeper: pid, sums };
}

test('a server that is killed under load leaves no error in any reader, and the mount is still found by its pid', async () => {
  const { places, log, keeper, sums } = await mountedForDeath();
  const readers = Promise.all(
    Array.from({ length: 16 }, () => sh('cd $1; for i in 1 2 3; do sha256sum *; done', places.mountpoint)),
  );
  for (let kill = 0; kill < 3; kill++) {
    const server = await workerOf(keeper);
    process.kill(server, 'SIGKILL');
    await sh('stat -f $1 >/dev/null', places.mountpoint); // answered by the next one
    expect(await workerOf(keeper)).not.toBe(server);
  }
  expect(new Set(await readers)).toEqual(new Set([sums.repeat(3)]));
  const server = await serverOf(places.mountpoint);
  expect([server.pid, server.arguments.includes(places.manifest)]).toEqual([keeper, true]);
  expect(await readFile(log, 'utf8')).toMatch(/serves the mount on .*\n.*serves the mount on .*\n/s);
  process.kill(keeper, 'SIGTERM');
  await ended(keeper);
  expect(await findMount(places.mountpoint)).toBeUndefined();
}, 120_000);

test('who takes over serves the flist that was mounted, also when another has its name by now', async () => {
  const { places, keeper, sums } = await mountedForDeath();
  await rename(places.source, `${places.source}.old`);
  await sh('mkdir $1; echo other >$1/a; echo other >$1/file', places.source);
  await packSource(places);
  process.kill(await workerOf(keeper), 'SIGKILL');
  expect(await sh('cd $1; sha256sum *', places.mountpoint)).toBe(sums);
});

test('an upgrade puts a new server in the place of the old one, readers notice nothing, and it is known what was used', async () => {
  const { places, keeper, sums } = await mountedForDeath();
  const used = () => new Journal(new CacheDirectory(places.cache)).uses().size;
  const reader = sh('cd $1; sha256sum *', places.mountpoint);
  for (let round = 0; round < 2; round++) {
    const before = await workerOf(keeper);
    await sh('dd if=$1/file iflag=nocache count=0; cat $1/file', places.mountpoint);
    expect(await rfs('upgrade', places.mountpoint)).toMatchObject({ code: 0, error: '' });
    expect(await workerOf(keeper)).not.toBe(before);
  }
  expect(used()).toBeGreaterThan(0); // the second server has read from the cache
  expect(await reader).toBe(sums);
  await sh('umount $1', places.mountpoint);
  await ended(keeper);
  const { code, error } = await rfs('upgrade', places.mountpoint);
  expect(code).toBe(1);
  expect(error).toMatch(/^error: no flist is mounted on .*\nhint: /);
});

test('a mount whose servers die one after the other is given up, and its directory is free', async () => {
  const { places, log, keeper } = await mountedForDeath();
  // On a slow machine five of them take longer than they may.
  for (let server = await workerOf(keeper); server !== 0; ) {
    process.kill(server, 'SIGKILL');
    await sh('stat -f $1 >/dev/null 2>&1 || true', places.mountpoint);
    server = Number(await sh('ps -o pid= --ppid $1 || true', String(keeper)));
  }
  await ended(keeper);
  expect(await findMount(places.mountpoint)).toBeUndefined();
  expect(await readFile(log, 'utf8')).toMatch(
    /the mount on .* is given up: its servers die one after the other/,
  );
}, 120_000);

test('what the command line lacks is a usage error', async () => {
  expect(await rfsMount('/mnt')).toMatchObject({ code: 2, error: expect.stringContaining('--meta') });
  const { code, error } = await rfsMount('-m', 'x.fl', '-s', 'no-url', '/mnt');
  expect(code).toBe(2);
  expect(error).toMatch(/^error: .*not a URL\nhint: /);
});
