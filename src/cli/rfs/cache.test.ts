import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

/** A packed tree, and a cache that has all of it: two files, one of two blocks. */
async function cachedPlace() {
  const place = await packedPlace();
  const cache = join(place.root, 'cache');
  await rfs(['unpack', '-m', place.meta, '-c', cache, join(place.root, 'out')]);
  return { ...place, cache };
}

/** Blocks and whole files. */
async function blocksIn(cache: string): Promise<string[]> {
  const names = await readdir(cache, { recursive: true });
  return names.filter((name) => /^[0-9a-f]{64}$/.test(basename(name))).map((name) => join(cache, name));
}

test('stat says what is there, gc removes what was not used for longest, and pinned files stay', async () => {
  const { cache, meta, root } = await cachedPlace();
  const stat = async () => JSON.parse((await rfs(['cache', 'stat', '-c', cache, '--json'])).out);
  expect(await stat()).toMatchObject({
    cache,
    total: { files: 2 },
    blocks: { files: 1 },
    whole: { files: 1 },
    parts: { files: 0, bytes: 0, blocks: 0 },
    pinned: { files: 0 },
    pins: [],
  });
  const [old] = await blocksIn(cache);
  await utimes(old!, 1000, 1000);
  const size = (await stat()).total.bytes;
  expect(JSON.parse((await rfs(['cache', 'gc', '-c', cache, '--json'])).out)).toMatchObject({ files: 0 });
  const gc = await rfs(['cache', 'gc', '-c', cache, '--cache-size', `${size - 1}`]);
  expect(gc).toMatchObject({ code: 0, error: '' });
  expect(gc.out).toMatch(/^\S+: 1 files removed, /);
  expect(await blocksIn(cache)).not.toContain(old);

  expect((await rfs(['cache', 'pin', '-c', cache, '-m', meta])).out).toContain('under 4 names');
  const full = await rfs(['cache', 'gc', '-c', cache, '--cache-size', '0']);
  expect(full).toMatchObject({ code: 0, out: expect.stringContaining(' 0 files removed') });
  expect(full.error).toContain('are pinned or held open');
  expect(await stat()).toMatchObject({ pinned: { files: 1 }, pins: [meta] });
  expect((await rfs(['cache', 'stat', '-c', cache])).out).toContain(`pinned: ${meta}`);
  await rm(meta);
  expect((await rfs(['cache', 'unpin', '-c', cache, '-m', meta])).out).toContain('is no longer pinned');
  expect((await rfs(['cache', 'unpin', '-c', cache, '-m', meta])).out).toContain('was not pinned');
  await rfs(['cache', 'gc', '-c', cache, '--cache-size', '1%']);
  await rfs(['cache', 'gc', '-c', cache, '--cache-size', '0']);
  expect(await blocksIn(cache)).toEqual([]);
  const bad = await rfs(['cache', 'gc', '-c', join(root, 'none'), '--cache-size', 'much']);
  expect(bad).toMatchObject({ code: 2, error: expect.stringContaining('hint: ') });
});

test('verify removes what is damaged, and says so by its exit code', async () => {
  const { cache, meta, source, root } = await cachedPlace();
  const sound = await rfs(['cache', 'verify', '-c', cache]);
  expect(sound).toMatchObject({ code: 0, error: '' });
  expect(sound.out).toMatch(/: 2 files, 3 blocks, \S+ KiB: sound\n$/);
  const [first, second] = await blocksIn(cache);
  const bytes = await readFile(first!);
  bytes[1]! ^= 1;
  await writeFile(first!, bytes);
  await writeFile(second!, 'short');
  const verified = await rfs(['cache', 'verify', '-c', cache, '--json']);
  expect(verified).toMatchObject({ code: 5, error: '' });
  const { damaged, files } = JSON.parse(verified.out);
  expect(files).toBe(2);
  const names = [first, second].map((path) => basename(path!));
  expect(damaged.map(({ name }: { name: string }) => name).sort()).toEqual(names.sort());
  expect(await blocksIn(cache)).toEqual([]);
  expect(await rfs(['cache', 'verify', '-c', cache])).toMatchObject({ code: 0 });
  await rfs(['unpack', '-m', meta, '-c', cache, join(root, 'again')]);
  expect(await readFile(join(root, 'again/large'))).toEqual(await readFile(join(source, 'large')));
});

test('a cache that is not there is empty', async () => {
  const { root } = await packedPlace();
  const cache = join(root, 'none');
  expect((await rfs(['cache', 'stat', '-c', cache])).code).toBe(0);
  expect((await rfs(['cache', 'verify', '-c', cache])).out).toContain(': 0 files');
  expect(await rfs(['cache', 'gc', '-c', join(root, 'none')])).toMatchObject({ code: 0 });
});
