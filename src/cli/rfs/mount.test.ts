import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { findMount } from '../../fuse/mount-table.ts';
import { makePlaces, type Places, packSource, requireFuse, sh } from '../../mount/test-flist.ts';

beforeAll(requireFuse);

const program = join(import.meta.dirname, '../rfs.ts');

async function packed(): Promise<Places> {
  const places = await makePlaces();
  await writeFile(join(places.source, 'file'), 'the content');
  await packSource(places);
  onTestFinished(async () => {
    await sh('! mountpoint -q $1 || umount -l $1', places.mountpoint);
  });
  return places;
}

async function rfsMount(...args: readonly string[]) {
  const { code, stdout, stderr } = await run(process.execPath, [program, 'mount', ...args], {
    accept: [0, 1, 2],
  });
  return { code, out: stdout.toString(), error: stderr };
}

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

test('what the command line lacks is a usage error', async () => {
  expect(await rfsMount('/mnt')).toMatchObject({ code: 2, error: expect.stringContaining('--meta') });
  const { code, error } = await rfsMount('-m', 'x.fl', '-s', 'no-url', '/mnt');
  expect(code).toBe(2);
  expect(error).toMatch(/^error: .*not a URL\nhint: /);
});
