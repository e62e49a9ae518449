/** A disk that gets full in the middle of a command: one clear error, nothing wrong, and a second run completes. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadBlake2b } from '../../src/base/blake2b.ts';
import { run } from '../../src/base/exec.ts';
import { blocksGiven, gives, putAll, randomFile, threeBlocks } from '../../src/cache/files.fixture.ts';
import { threadWith } from '../../src/cache/test-cache.ts';
import { expectOneError, packedPlace, rfs } from '../../src/cli/rfs/test-rfs.ts';
import { archive, layoutFiles, makeImage, member, writeFiles } from '../../src/flist/oci/image.fixture.ts';
import { isBlockId } from '../../src/store/store.ts';
import { testDirectory } from '../../src/store/test-directory.ts';

const blake2b = await loadBlake2b();

beforeAll(() => {
  if (process.getuid!() !== 0)
    throw new Error('these tests mount, and mounting needs root: run them as root');
});

/** A disk of its own that takes so many bytes. */
async function smallDisk(
  root: string,
  size: string,
): Promise<{ disk: string; grow: () => Promise<unknown> }> {
  const disk = join(root, 'disk');
  await mkdir(disk);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk]);
  onTestFinished(async () => {
    await run('umount', [disk]);
  });
  return { disk, grow: () => run('mount', ['-o', 'remount,size=64m', disk]) };
}

/** Every block of a store is the one that its name says, and there are some. */
async function expectSoundStore(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  for (const name of names) {
    if (isBlockId(basename(name)))
      expect(blake2b(await readFile(join(directory, name)))).toBe(basename(name));
    else expect(name).toMatch(/^[0-9a-f]{2}$/);
  }
}

const full = /no space left|disk is full/i;

describe('a full disk', () => {
  test('under the store fails a pack; what is stored stays, and after making room it goes on', async () => {
    const { root, source, meta } = await packedPlace();
    await writeFile(join(source, 'more'), randomBytes(400_000));
    const { disk, grow } = await smallDisk(root, '200k');
    const before = await readFile(meta);
    const pack = ['pack', '-m', meta, '-s', `dir://${disk}`, source];
    expectOneError(await rfs(pack), full);
    expect(await readFile(meta)).toEqual(before);
    await expectSoundStore(disk);
    await grow();
    expect(await rfs(pack)).toMatchObject({ code: 0, error: '' });
    await expectSoundStore(disk);
    await run('diff', ['-r', source, await unpacked(root, meta)]);
  });

  test('under TMPDIR fails the conversion of an image, which leaves nothing there', async () => {
    const root = await testDirectory();
    const noise = randomBytes(600_000).toString('latin1').replaceAll('\0', 'x');
    const image = await makeImage({ layers: [archive(member('file', {}, noise))], compression: 'gzip' });
    await writeFiles(join(root, 'layout'), layoutFiles([image.manifest], image.blobs));
    const { disk, grow } = await smallDisk(root, '200k');
    const docker = [
      'docker',
      '--quiet',
      '-i',
      'oci:layout',
      '-s',
      `dir://${root}/blocks`,
      '--platform',
      'linux/amd64',
    ];
    const options = { cwd: root, env: { ...process.env, TMPDIR: disk } };
    expectOneError(await rfs(docker, options), full);
    expect(await readdir(disk)).toEqual([]);
    expect((await readdir(root)).sort()).toEqual(['disk', 'layout']);
    await grow();
    expect(await rfs(docker, options)).toMatchObject({ code: 0, error: '' });
    expect(await readdir(disk)).toEqual([]);
  });

  test('under the flist fails a pack, and the former flist stays', async () => {
    const { root, source, store } = await packedPlace();
    const { disk, grow } = await smallDisk(root, '64k');
    const meta = join(disk, 'new.fl');
    const pack = ['pack', '-m', meta, '-s', store, source];
    await rfs(pack);
    const before = await readFile(meta);
    await Promise.all(
      Array.from({ length: 300 }, (_, i) => writeFile(join(source, `file number ${i}`), `${i}`)),
    );
    expectOneError(await rfs(pack), full);
    expect(await readFile(meta)).toEqual(before);
    expect(await readdir(disk)).toEqual(['new.fl']);
    await grow();
    expect(await rfs(pack)).toMatchObject({ code: 0, error: '' });
    await run('diff', ['-r', source, await unpacked(root, meta)]);
  });

  test('under the target fails an unpack', async () => {
    const { root, source, meta } = await packedPlace();
    const { disk, grow } = await smallDisk(root, '200k');
    const unpack = ['unpack', '-m', meta, '-c', join(root, 'cache'), join(disk, 'out')];
    expectOneError(await rfs(unpack), full);
    await grow();
    expect(await rfs(unpack)).toMatchObject({ code: 0 });
    await run('diff', ['-r', source, join(disk, 'out')]);
  });

  test('under the destination fails a clone, and no flist is written that names it', async () => {
    const { root, meta, blocks } = await packedPlace();
    const { disk, grow } = await smallDisk(root, '16k');
    const output = join(root, 'new.fl');
    const clone = ['clone', '-m', meta, '-s', `dir://${disk}`, '-o', output];
    expectOneError(await rfs(clone), full);
    await expect(stat(output)).rejects.toMatchObject({ code: 'ENOENT' });
    await expectSoundStore(disk);
    await grow();
    expect(await rfs(clone)).toMatchObject({ code: 0, error: '' });
    await run('diff', ['-r', blocks, disk]);
  });

  test('under the cache costs a warning and no more', async () => {
    const { root, source, meta } = await packedPlace();
    const { disk } = await smallDisk(root, '100k');
    const { code, error } = await rfs(['unpack', '-m', meta, '-c', disk, join(root, 'out')]);
    expect(code).toBe(0);
    expect(error).toMatch(/^cannot write to the cache .*no space left.*\n$/);
    await run('diff', ['-r', source, join(root, 'out')]);
  });
});

test('a full disk under the files of a cache costs one warning, and what is there is right', async () => {
  const { disk, grow } = await smallDisk(await testDirectory(), '1200k');
  const { cache, warnings } = threadWith(join(disk, 'cache'));
  const [large, small] = [randomFile(threeBlocks), randomFile(400_000)];
  for (const file of [large, small, large]) putAll(cache, file);
  expect(warnings).toEqual([expect.stringMatching(/^cannot write to the cache .*ENOSPC/)]);
  const given = [large, small].flatMap((file) => blocksGiven(cache, file));
  expect(given.filter((isHere) => isHere).length).toBeGreaterThan(1);
  expect(given).toContain(false);
  await grow();
  for (const file of [large, small]) {
    putAll(cache, file);
    expect(gives(cache, file)).toBe(true);
  }
  cache.close();
  expect(warnings).toHaveLength(1);
});

async function unpacked(root: string, meta: string): Promise<string> {
  const target = join(root, 'unpacked');
  expect(await rfs(['unpack', '-m', meta, '-c', join(root, 'cache'), target])).toMatchObject({ code: 0 });
  return target;
}
