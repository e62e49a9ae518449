import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, openSync } from 'node:fs';
import { mkdtempDisposable, open, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Libc, type LibcError, loadLibc } from './libc.ts';

const libc = (await loadLibc()) as Libc;
const isRoot = process.geteuid!() === 0;
const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
const stat = (format: string, path: string) => execFileSync('stat', ['-c', format, path]).toString().trim();
const thrownBy = (call: () => unknown): LibcError => {
  try {
    call();
  } catch (error) {
    return error as LibcError;
  }
  throw new Error('the call did not fail');
};

describe('extended attributes', () => {
  const value = Buffer.from([0, 1, 0xff, 0x0a, 0x80]);

  test('that setfattr set are read, byte for byte', async () => {
    await using scratch = await scratchDirectory();
    const file = join(scratch.path, 'file');
    await writeFile(file, '');
    expect(libc.listXattrs(file)).toEqual([]);
    execFileSync('setfattr', ['-n', 'user.bytes', '-v', `0x${value.toString('hex')}`, file]);
    execFileSync('setfattr', ['-n', 'user.empty', file]);
    expect(libc.listXattrs(file).sort()).toEqual(['user.bytes', 'user.empty']);
    expect(Buffer.from(libc.getXattr(file, 'user.bytes')!)).toEqual(value);
    expect(libc.getXattr(file, 'user.empty')).toHaveLength(0);
    expect(libc.getXattr(file, 'user.other')).toBeUndefined();
  });

  test('that are set are what getfattr shows, and setting one again replaces it', async () => {
    await using scratch = await scratchDirectory();
    const file = join(scratch.path, 'ä file');
    await writeFile(file, '');
    libc.setXattr(file, 'user.name', Buffer.from('first'));
    libc.setXattr(file, 'user.name', value);
    const shown = execFileSync('getfattr', ['-n', 'user.name', '-e', 'hex', '--only-values', file], {
      stdio: 'pipe',
    });
    expect(shown).toEqual(value);
  });

  test('belong to a link and not to what it points to', async () => {
    await using scratch = await scratchDirectory();
    const [file, link] = [join(scratch.path, 'file'), join(scratch.path, 'link')];
    await writeFile(file, '');
    await symlink('file', link);
    libc.setXattr(file, 'user.name', value);
    expect(libc.listXattrs(link)).toEqual([]);
    expect(thrownBy(() => libc.setXattr(link, 'user.name', value))).toMatchObject({ code: 'EPERM' });
  });

  test('are found by a path that is not UTF-8', async () => {
    await using scratch = await scratchDirectory();
    const file = Buffer.concat([Buffer.from(`${scratch.path}/`), Buffer.of(0x66, 0xff, 0xfe)]);
    await writeFile(file, '');
    libc.setXattr(file, 'user.name', value);
    expect(libc.listXattrs(file)).toEqual(['user.name']);
  });
});

test('both times are set to the nanosecond, of links and before the epoch too', async () => {
  await using scratch = await scratchDirectory();
  const [file, link] = [join(scratch.path, 'file'), join(scratch.path, 'link')];
  await writeFile(file, '');
  await symlink('file', link);
  const access = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
  libc.setTimes(file, access, { seconds: -5, nanoseconds: 999_999_999 });
  libc.setTimes(link, access, { seconds: 0, nanoseconds: 1 });
  expect(stat('%.9X %.9Y', file)).toBe('1700000000.123456789 -4.000000001');
  expect(stat('%.9Y', link)).toBe('0.000000001');
  const descriptor = openSync(file, 'r');
  libc.setTimes(descriptor, access, { seconds: 9, nanoseconds: 87_654_321 });
  closeSync(descriptor);
  expect(stat('%.9X %.9Y', file)).toBe('1700000000.123456789 9.087654321');
  expect(thrownBy(() => libc.setTimes(descriptor, access, access))).toMatchObject({ code: 'EBADF' });
});

test('fifos, sockets and, as root, devices are made', async () => {
  await using scratch = await scratchDirectory();
  const path = (name: string) => join(scratch.path, name);
  libc.makeNode(path('fifo'), 0o010600);
  libc.makeNode(path('socket'), 0o140600);
  expect(lstatSync(path('fifo')).isFIFO()).toBe(true);
  expect(lstatSync(path('socket')).isSocket()).toBe(true);
  const makeDevice = () => libc.makeNode(path('device'), 0o020600, { major: 4095, minor: 1_048_575 });
  if (isRoot) {
    makeDevice();
    expect(stat('%F %t %T', path('device'))).toBe('character special file fff fffff');
  } else expect(thrownBy(makeDevice)).toMatchObject({ code: 'EPERM' });
});

test('data and holes of a sparse file are found', async () => {
  await using scratch = await scratchDirectory();
  const file = join(scratch.path, 'sparse');
  await writeFile(file, '');
  await truncate(file, 1 << 20);
  await using handle = await open(file, 'r+');
  await handle.write(Buffer.alloc(4096, 'x'), 0, 4096, 1 << 18);
  expect(libc.seekData(handle.fd, 0)).toBe(1 << 18);
  expect(libc.seekHole(handle.fd, 1 << 18)).toBe((1 << 18) + 4096);
  expect(libc.seekData(handle.fd, (1 << 18) + 4096)).toBeUndefined();
  expect(libc.seekHole(handle.fd, 1 << 19)).toBe(1 << 19);
  await libc.syncFileSystem(handle.fd);
  libc.dropCached(handle.fd);
  expect((await handle.read(Buffer.alloc(1), 0, 1, 1 << 18)).buffer.toString()).toBe('x');
});

test('a call that fails says which, on what, and why', async () => {
  const missing = thrownBy(() => libc.listXattrs('/no such file'));
  expect(missing).toMatchObject({ name: 'LibcError', code: 'ENOENT', syscall: 'llistxattr' });
  expect(missing.message).toBe('ENOENT: no such file or directory, llistxattr "/no such file"');
  await expect(libc.syncFileSystem(-1)).rejects.toThrow(
    'EBADF: bad file descriptor, syncfs of descriptor -1',
  );
  expect(() => libc.listXattrs('/etc\0/passwd')).toThrow('holds a NUL byte');
});
