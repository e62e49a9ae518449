import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { mountDevice, unmount } from './mount-point.ts';
import { findMount } from './mount-table.ts';

const shell = promisify(execFile);

beforeAll(async () => {
  if (process.getuid?.() !== 0) throw new Error('these tests need root and /dev/fuse: they mount');
});

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'fuse-test-'));
  onTestFinished(async () => {
    await unmount(directory);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A process that mounts and serves a filesystem whose root is empty, until it is told to end. */
async function serveEmpty(directory: string) {
  const room = (file: string) => JSON.stringify(join(import.meta.dirname, file));
  const program = `
    import { Worker } from 'node:worker_threads';
    import { openDevice } from ${room('device.ts')};
    import { mountDevice } from ${room('mount-point.ts')};
    const fd = openDevice();
    const worker = new Worker(\`
      const { serve } = await import(${room('session.ts')});
      const { noEntry } = await import(${room('reply.ts')});
      const attributes = { ...noEntry.attributes, ino: 1, mode: 0o40755, nlink: 2 };
      serve(\${fd}, {
        lookup: () => noEntry, getattr: () => attributes, readlink: () => 22, read: () => 21, readdir: () => undefined,
        statfs: () => ({ blocks: 0, bfree: 0, bavail: 0, files: 1, ffree: 0, bsize: 4096, namelen: 255 }),
      }, { givenUp: new Int32Array(new SharedArrayBuffer(4)), onError: console.error });
    \`, { eval: true });
    await mountDevice(fd, { mountpoint: ${JSON.stringify(directory)}, source: 'test', subtype: 'test', options: ['ro'] });
    process.send('mounted');
    process.disconnect();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
  });
  const ended = once(child, 'exit');
  await once(child, 'message');
  return { child, ended };
}

test('a mount has its own type and source, answers, and ends its server when it is taken off', async () => {
  const directory = await scratch();
  const { ended } = await serveEmpty(directory);
  expect(await findMount(directory)).toMatchObject({ type: 'fuse.test', source: 'test' });
  expect((await shell('stat', ['-c', '%F', directory])).stdout).toBe('directory\n');
  await unmount(directory);
  expect(await ended).toEqual([0, null]);
});

test('a mount that lost its server is detached before the next one', async () => {
  const directory = await scratch();
  const { child, ended } = await serveEmpty(directory);
  child.kill('SIGKILL');
  await ended;
  await expect(shell('stat', [directory])).rejects.toThrow(/not connected/);
  await serveEmpty(directory);
  expect((await shell('stat', ['-c', '%F', directory])).stdout).toBe('directory\n');
});

test('a mount that is in use is detached', async () => {
  const directory = await scratch();
  const { ended } = await serveEmpty(directory);
  const user = spawn('sleep', ['1000'], { cwd: directory });
  onTestFinished(() => void user.kill());
  await once(user, 'spawn');
  await unmount(directory);
  expect(await findMount(directory)).toBeUndefined();
  user.kill();
  expect(await ended).toEqual([0, null]);
});

test('taking off what is not mounted is fine', async () => {
  await unmount(await scratch());
});

const options = { source: 'test', subtype: 'test', options: [] };

test('a directory in use, a missing one and a file are refused', async () => {
  const directory = await scratch();
  await serveEmpty(directory);
  await expect(mountDevice(0, { ...options, mountpoint: directory })).rejects.toMatchObject({
    kind: 'conflict',
  });
  await expect(mountDevice(0, { ...options, mountpoint: '/no/such' })).rejects.toMatchObject({
    kind: 'not-found',
    hint: 'mkdir -p /no/such',
  });
  const file = join(await scratch(), 'file');
  await writeFile(file, '');
  await expect(mountDevice(0, { ...options, mountpoint: file })).rejects.toThrow(/not a directory/);
});

test('what mount(8) says is in the error, and a missing mount(8) has a hint', async () => {
  const directory = await scratch();
  const tools = await scratch();
  const path = process.env['PATH'];
  onTestFinished(() => {
    process.env['PATH'] = path;
  });
  process.env['PATH'] = tools;
  await expect(mountDevice(0, { ...options, mountpoint: directory })).rejects.toMatchObject({
    kind: 'missing-tool',
  });
  await writeFile(join(tools, 'mount'), '#!/bin/sh\necho "mount: no luck" >&2\nexit 32\n');
  await chmod(join(tools, 'mount'), 0o755);
  await expect(mountDevice(0, { ...options, mountpoint: directory })).rejects.toMatchObject({
    kind: 'failed',
    cause: new Error('mount: no luck'),
  });
});
