import { mkdtempDisposable, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeDirectory, readTextIfPresent, temporaryName, writeAtomic } from './files.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));

describe('writeAtomic', () => {
  test('writes text, bytes and streams, and makes the directory', async () => {
    await using scratch = await scratchDirectory();
    const path = join(scratch.path, 'new', 'file');
    await writeAtomic(path, 'text');
    expect(await readFile(path, 'utf8')).toBe('text');
    await writeAtomic(path, Buffer.from('bytes'), { sync: false });
    expect(await readFile(path, 'utf8')).toBe('bytes');
    const chunks = async function* () {
      yield Buffer.from('one ');
      yield Buffer.from('two');
    };
    await writeAtomic(path, chunks());
    expect(await readFile(path, 'utf8')).toBe('one two');
  });

  test('gives the file its mode whatever the umask', async () => {
    await using scratch = await scratchDirectory();
    const path = join(scratch.path, 'script');
    await writeAtomic(path, '', { mode: 0o777 });
    expect((await stat(path)).mode & 0o7777).toBe(0o777);
  });

  test('leaves the old file and nothing else when the source fails', async () => {
    await using scratch = await scratchDirectory();
    const path = join(scratch.path, 'file');
    await writeFile(path, 'old');
    const failing = async function* () {
      yield Buffer.from('new');
      throw new Error('source failed');
    };
    await expect(writeAtomic(path, failing())).rejects.toThrow('source failed');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(scratch.path)).toEqual(['file']);
  });
});

test('a temporary name lies beside the file and is new each time', () => {
  const name = temporaryName('/srv/images/disk.img');
  expect(name).toMatch(/^\/srv\/images\/\.disk\.img\..*\.tmp$/);
  expect(temporaryName('/srv/images/disk.img')).not.toBe(name);
});

describe('readTextIfPresent', () => {
  test('gives the text, or undefined without a file', async () => {
    await using scratch = await scratchDirectory();
    await writeFile(join(scratch.path, 'file'), 'text');
    expect(await readTextIfPresent(join(scratch.path, 'file'))).toBe('text');
    expect(await readTextIfPresent(join(scratch.path, 'none'))).toBeUndefined();
  });

  test('fails on what is there and cannot be read', async () => {
    await using scratch = await scratchDirectory();
    await expect(readTextIfPresent(scratch.path)).rejects.toThrow('EISDIR');
  });
});

describe('makeDirectory', () => {
  test('makes every directory on the way, and is fine with those that are there', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'files-'));
    const directory = join(scratch.path, 'a/b/c');
    await Promise.all([makeDirectory(directory), makeDirectory(directory)]);
    await makeDirectory(directory);
    expect((await stat(directory)).isDirectory()).toBe(true);
  });

  test('fails where a file is in the way', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'files-'));
    await writeFile(join(scratch.path, 'file'), '');
    await expect(makeDirectory(join(scratch.path, 'file'))).rejects.toThrow('EEXIST');
    await expect(makeDirectory(join(scratch.path, 'file/below'))).rejects.toThrow('ENOTDIR');
  });

  test('fails, and does not try for ever, where the system lets nobody make a name', async () => {
    await expect(makeDirectory('/proc/no-such-directory/below')).rejects.toThrow('ENOENT');
  });
});
