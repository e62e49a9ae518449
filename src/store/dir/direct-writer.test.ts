import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadBlake2b } from '../../base/blake2b.ts';
import { openStore } from '../open.ts';
import { testDirectory } from '../test-directory.ts';
import { DirStore } from './dir.ts';
import { DirectWriter, shardsOf } from './direct-writer.ts';

const everything = async (root: string) => (await readdir(root, { recursive: true })).sort();

test('what a thread wrote by itself is a block when the store has adopted it, and is not written again', async () => {
  const blake2b = await loadBlake2b();
  const root = join(await testDirectory(), 'store');
  const [writer, store] = [new DirectWriter(root), new DirStore(root)];
  const blob = Buffer.from('the stored bytes');
  const id = blake2b(blob);
  const temporary = writer.write(id, blob)!;
  expect(await store.has(id)).toBe(false);
  await store.direct.adopt([{ id, temporary }]);
  expect(Buffer.from(await store.get(id)).toString()).toBe('the stored bytes');
  expect(writer.write(id, blob)).toBeUndefined();
  expect(await everything(root)).toEqual([id.slice(0, 2), `${id.slice(0, 2)}/${id}`]);
});

test.each([
  ['in its shard', (id: string) => join(id.slice(0, 2), id)],
  ['beside the shards, as before July 2024', (id: string) => id],
])('a writer that knows the shards of a store finds a block that lies %s', async (_, placeOf) => {
  const root = await testDirectory();
  const [there, other] = ['ab'.repeat(32), 'cd'.repeat(32)];
  await mkdir(join(root, 'ab'));
  await writeFile(join(root, placeOf(there)), 'x');
  const writer = new DirectWriter(root, shardsOf(root));
  expect(writer.write(there, Buffer.from('x'))).toBeUndefined();
  await rm(join(root, placeOf(there)));
  expect(writer.write(there, Buffer.from('x'))).toContain(there);
  expect(writer.write(other, Buffer.from('y'))).toContain(other);
});

test('a store that is not there yet has no shards', async () => {
  expect(shardsOf(join(await testDirectory(), 'store'))).toEqual(new Set());
});

test('a block that cannot get its name leaves no file', async () => {
  const root = join(await testDirectory(), 'store');
  const temporary = new DirectWriter(root).write('ab'.repeat(32), Buffer.from('x'))!;
  await expect(new DirStore(root).direct.adopt([{ id: 'cd'.repeat(32), temporary }])).rejects.toMatchObject({
    kind: 'unavailable',
  });
  expect(await everything(root)).toEqual(['ab']);
});

test.each([
  ['dir:///srv/blocks', true],
  ['00-7f=dir:///srv/blocks', false],
  ['fault+dir:///srv/blocks?fault=put:delay=1ms:1', false],
  ['https://host/blocks', false],
])('%s: threads may write by themselves: %j', async (spec, may) => {
  expect((await openStore(spec)).direct !== undefined).toBe(may);
});
