/** What the kernel of this machine makes of our answers, counted in requests. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sendReply } from './device.ts';
import { notifyInvalidate, notifyInvalidateEntry, notifyStore } from './notify.ts';
import { dataByte, dataSize } from './serve.fixture.ts';
import { mountFixture, requireRoot, sh } from './test-mount.ts';

beforeAll(requireRoot);

const data = Buffer.from(Uint8Array.from({ length: dataSize }, (_, i) => dataByte(i)));
const digest = createHash('sha256').update(data).digest('hex');

test('what a filesystem does not have the kernel asks for once', async () => {
  const { mountpoint, server, requests } = await mountFixture();
  await sh(
    `cd $1
     for i in 1 2 3; do cat data >/dev/null; cat link >/dev/null; ls >/dev/null; stat -c %W data; done
     for i in 1 2 3; do getfattr -d data 2>/dev/null || :; ! getfattr -n user.a data 2>/dev/null; done
     for i in 1 2 3; do perl -e 'open(F, "<data"); sysseek(F, 0, 3) && sysseek(F, 0, 4) || die' || :; done
     for i in 1 2 3; do ! cat missing 2>/dev/null; done`,
    mountpoint,
  );
  const { read, readdir, readdirplus, ...rest } = await requests();
  expect(rest).toEqual({
    lookup: 3, // data, link, missing
    open: 1,
    opendir: 1,
    readlink: 1,
    getxattr: 1,
    listxattr: 1,
    lseek: 1,
    statx: 1,
    'operation 25': 1, // FLUSH
    'operation 34': 1, // ACCESS
    'operation 39': 3, // IOCTL: perl asks whether it reads a terminal
  });
  // All pages and entries stay with the kernel.
  expect(read).toBeLessThanOrEqual(Math.ceil(dataSize / (128 * 1024)) + 1);
  expect((readdir ?? 0) + (readdirplus ?? 0)).toBeLessThanOrEqual(2);
  expect(server.errors).toEqual([]);
});

test('attributes, offsets and births come as the filesystem has them', async () => {
  const { data, server } = await mountFixture({ has: ['xattrs', 'holes', 'births'], open: ['cached'] });
  expect(await sh('getfattr --absolute-names -d $1', data)).toContain('user.a="value"');
  await expect(sh('getfattr -n user.b $1', data)).rejects.toThrow('No such attribute');
  expect(await sh("stat -c '%W %Y %y' $1", data)).toMatch(/^1600000000 2 .*\.123456789/);
  const seek = `perl -e 'open(F, "<$ARGV[0]") || die;
    for ([0, 4], [5000, 3], [${dataSize} - 1, 4]) { print sysseek(F, $$_[0], $$_[1]), "\\n" }
    print sysseek(F, ${dataSize}, 3) ? "?" : $!' "$1"`;
  expect(await sh(seek, data)).toBe(`4096\n${1024 * 1024}\n${dataSize}\nNo such device or address`);
  expect(server.errors).toEqual([]);
});

test('the kernel need not ask for what it was given, until it has to forget it', async () => {
  const { data: file, device, count } = await mountFixture();
  await sh('stat $1', file); // so that the kernel knows the node
  for (let at = 0; at < dataSize; at += 500 * 4096)
    expect(
      notifyStore(device, 2, at, data.subarray(at, at + 100), data.subarray(at + 100, at + 500 * 4096)),
    ).toBe(true);
  expect(await sh('sha256sum <$1', file)).toContain(digest);
  expect(await count('read')).toBe(0);
  expect(notifyInvalidate(device, 2, 4096, 4096)).toBe(true);
  expect(await sh('sha256sum <$1', file)).toContain(digest);
  expect(await count('read')).toBe(1);
  expect(notifyStore(device, 99, 0, data)).toBe(false);
});

test('a name that was missing is looked for again when the kernel is told to', async () => {
  const { mountpoint, device, count } = await mountFixture();
  const missing = join(mountpoint, 'missing');
  const look = async () => {
    await sh('! stat $1 2>/dev/null', missing);
    return count('lookup');
  };
  expect([await look(), await look()]).toEqual([1, 1]);
  expect(notifyInvalidateEntry(device, 1, Buffer.from('missing'))).toBe(true);
  expect(await look()).toBe(2);
});

test('a filesystem hears of the signal that a waiting reader got', async () => {
  const { data, server, device } = await mountFixture({
    has: ['interrupts'],
    isSilent: true,
    open: ['direct'],
  });
  const reader = spawn('cat', [data], { stdio: 'ignore' });
  const ended = once(reader, 'exit');
  await server.request('read');
  reader.kill('SIGINT');
  const { interrupted } = await server.request('interrupt');
  expect(sendReply(device, BigInt(interrupted!), constants.errno.EINTR)).toBe(true);
  expect(await ended).toEqual([null, 'SIGINT']);
});

test('a server that dies while it is asked leaves a reader waiting for the next one, which answers', async () => {
  const { data, server, serveAgain, requests } = await mountFixture({ isSilent: true });
  const negotiated = await server.started();
  const readers = [1, 2, 3].map(() => sh('sha256sum <$1', data));
  await server.request('read');
  server.process.kill('SIGKILL');
  await server.ended;
  const next = serveAgain({ takeOver: negotiated });
  for (const output of await Promise.all(readers)) expect(output).toContain(digest);
  expect(Object.keys(await requests())).toEqual(['read']); // what the kernel learned of the first holds
  expect(next.errors).toEqual([]);
});

/** A file that servers hand on. */
function handedOn(): number {
  const path = join(tmpdir(), `handed-on-${process.pid}`);
  const file = openSync(path, 'wx+');
  rmSync(path);
  onTestFinished(() => closeSync(file));
  return file;
}

describe('where the kernel cannot send requests again', () => {
  const without = ['resend'] as const;

  test('the next server finds what is to be answered in a log, after any number of deaths', async () => {
    const { data, server, serveAgain } = await mountFixture(
      { isSilent: true, keepsLog: true, without },
      { table: handedOn() },
    );
    const takeOver = await server.started();
    const readers = [1, 2, 3].map(() => sh('sha256sum <$1', data));
    await server.request('read');
    server.process.kill('SIGKILL');
    await server.ended;
    const second = serveAgain({ isSilent: true, keepsLog: true, takeOver });
    await sh('! stat $1.none 2>/dev/null', data);
    second.process.kill('SIGKILL');
    await second.ended;
    const third = serveAgain({ keepsLog: true, takeOver });
    for (const output of await Promise.all(readers)) expect(output).toContain(digest);
    expect([...second.errors, ...third.errors]).toEqual([]);
  });

  test.each([
    ['cached', digest], // the kernel reads a page once more by itself
    ['direct', 'Stale file handle'],
  ] as const)('a request that a server had no time to note ends all the same, opened %s', async (mode, outcome) => {
    const { data, server, serveAgain } = await mountFixture(
      { isSilent: true, without, open: [mode] },
      { table: handedOn() },
    );
    const takeOver = await server.started();
    const reader = sh('sha256sum <$1 2>&1 || true', data);
    await server.request('read');
    server.process.kill('SIGKILL');
    await server.ended;
    serveAgain({ keepsLog: true, takeOver, open: [mode, mode] });
    expect(await reader).toContain(outcome);
    expect(await sh('sha256sum <$1', data)).toContain(digest);
  });
});

test('what is open outlives the server, and is closed with the next one', async () => {
  const table = handedOn();
  const { data, server, serveAgain, count } = await mountFixture(
    { open: ['direct'], keepsTable: true },
    { table },
  );
  const user = spawn('sh', ['-c', 'exec <"$1"; echo; read line; sha256sum', 'sh', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(user.stdout, 'data');
  server.process.kill('SIGKILL');
  await server.ended;
  const takeOver = await server.started();
  const next = serveAgain({ open: ['cached'], keepsTable: true, takeOver });
  await sh('cat $1 >/dev/null; cat $1 >/dev/null', data);
  expect(await count('read')).toBeGreaterThanOrEqual(2 * Math.floor(dataSize / (128 * 1024))); // it is direct still
  user.kill();
  await next.released('direct');
  await sh('cat $1 >/dev/null', data);
  await next.released('cached');
});
