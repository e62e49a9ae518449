import { mkdir, readdir, rename, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { testDirectory } from '../test-directory.ts';
import { DirStore } from './dir.ts';
import { flatPath, shardedPath } from './dir-paths.ts';

const id = `ab${'0'.repeat(62)}`;
const blob = Buffer.from('blob');
const longAgo = new Date('2020-01-01');
const yesterday = Date.now() - 24 * 3600 * 1000;

/** A store with one old block. */
async function oldBlock(pathOf: typeof shardedPath = shardedPath) {
  const root = await testDirectory();
  const path = pathOf(root, id);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, blob);
  await utimes(path, longAgo, longAgo);
  return { root, path, store: new DirStore(root) };
}

test.each([
  shardedPath,
  flatPath,
])('an old block is swept, one that was claimed is not (%o)', async (pathOf) => {
  const claimed = await oldBlock(pathOf);
  expect(await claimed.store.claim(id)).toBe(true);
  expect(await claimed.store.upkeep.sweep(id, yesterday)).toBe(false);
  expect(await claimed.store.get(id)).toEqual(blob);
  const { store, root } = await oldBlock(pathOf);
  expect(await store.upkeep.sweep(id, yesterday)).toBe(true);
  expect((await readdir(root, { recursive: true })).filter((name) => name.includes(id))).toEqual([]);
});

test('a block that is put again is young', async () => {
  const { store } = await oldBlock();
  await store.put(id, blob);
  expect(await store.upkeep.sweep(id, yesterday)).toBe(false);
});

test('claims and sweeps at the same time: who claimed has the block', async () => {
  for (let round = 0; round < 50; round++) {
    const { store } = await oldBlock();
    const sweep = store.upkeep.sweep(id, yesterday);
    const claims = Array.from({ length: round % 4 }, () => store.claim(id));
    const swept = await sweep;
    const claimed = await Promise.all(claims);
    expect(await store.has(id)).toBe(!swept);
    if (claimed.includes(true)) expect(swept).toBe(false);
  }
});

test('what an interrupted put left is removed when it is old, and a block set aside by an interrupted sweep comes back while it is young', async () => {
  const { store, root, path } = await oldBlock();
  const young = join(root, 'ab', `.${id}.1.00ff.tmp`);
  const old = join(root, 'ab', `.${id}.2.00ff.tmp`);
  const foreign = join(root, 'ab', '.keep.tmp');
  for (const file of [young, old, foreign]) await writeFile(file, 'half');
  for (const file of [old, foreign]) await utimes(file, longAgo, longAgo);
  expect(await store.upkeep.tidy(yesterday, { dryRun: true })).toEqual({ files: 1, bytes: 4 });
  expect(await store.upkeep.tidy(yesterday, { dryRun: false })).toEqual({ files: 1, bytes: 4 });
  expect((await readdir(join(root, 'ab'))).sort()).toEqual([`.${id}.1.00ff.tmp`, '.keep.tmp', id]);

  await store.claim(id);
  await rename(path, join(root, 'ab', `.${id}.3.00ff.swept`));
  expect(await store.has(id)).toBe(false);
  await store.upkeep.tidy(yesterday, { dryRun: false });
  expect(await store.get(id)).toEqual(blob);
});

test('a directory in the place of a block is not claimed', async () => {
  const root = await testDirectory();
  await mkdir(shardedPath(root, id), { recursive: true });
  expect(await new DirStore(root).claim(id)).toBe(false);
});
