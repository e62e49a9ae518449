import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { storedBlockLimit } from '../store.ts';
import { testDirectory } from '../test-directory.ts';
import { DirStore } from './dir.ts';

const id = `ab${'0'.repeat(62)}`;
const blob = Buffer.from('blob');

test('a block lies under the first two digits of its id, readable by all', async () => {
  const root = await testDirectory();
  await new DirStore(root).put(id, blob);
  expect(await readdir(root, { recursive: true })).toEqual(['ab', `ab/${id}`]);
  expect((await stat(join(root, 'ab', id))).mode & 0o777).toBe(0o644);
});

test('a block in the flat layout of old rfs versions is found, listed once, and deleted', async () => {
  const root = await testDirectory();
  const store = new DirStore(root);
  await writeFile(join(root, id), blob);
  expect(await store.get(id)).toEqual(blob);
  expect(await store.has(id)).toBe(true);
  await store.put(id, blob);
  const ids: string[] = [];
  for await (const listed of store.list()) ids.push(listed);
  expect(ids).toEqual([id]);
  await store.delete(id);
  expect(await store.has(id)).toBe(false);
});

test('reading makes no directory', async () => {
  const root = join(await testDirectory(), 'absent');
  const store = new DirStore(root);
  await expect(store.get(id)).rejects.toMatchObject({ kind: 'not-found' });
  for await (const listed of store.list()) expect(listed).toBeUndefined();
  await expect(stat(root)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('files that are no blocks are not listed', async () => {
  const root = await testDirectory();
  await mkdir(join(root, 'cd'));
  await writeFile(join(root, 'cd', id), 'in the wrong shard');
  await writeFile(join(root, 'README'), '');
  await writeFile(join(root, 'cd', `.${id}.1.2.tmp`), 'left by a crash');
  for await (const listed of new DirStore(root).list()) expect(listed).toBeUndefined();
});

test('a path that is no directory is an unavailable store, named by its address', async () => {
  const file = join(await testDirectory(), 'file');
  await writeFile(file, '');
  const failure = { kind: 'unavailable', message: expect.stringContaining(`dir://${file}`) };
  await expect(new DirStore(file).put(id, blob)).rejects.toMatchObject(failure);
  await expect(new DirStore(file).get(id)).rejects.toMatchObject(failure);
});

test('a file larger than any block is not read', async () => {
  const root = await testDirectory();
  await writeFile(join(root, id), Buffer.alloc(storedBlockLimit + 1));
  await expect(new DirStore(root).get(id)).rejects.toMatchObject({ kind: 'corrupt' });
});
