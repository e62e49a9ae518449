import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

async function blocksIn(directory: string): Promise<string[]> {
  return (await readdir(directory, { recursive: true })).filter((name) => name.includes('/')).sort();
}

test('says what nobody needs, and removes it when told to', async () => {
  const { root, source, meta, blocks, store } = await packedPlace();
  const needed = await blocksIn(blocks);
  await writeFile(join(source, 'dir/file'), 'other content');
  const second = join(root, 'second.fl');
  await rfs(['pack', '-m', second, '-s', store, source]);
  await rm(second);
  const gc = ['gc', '-s', store, meta, '--older-than'];
  expect((await rfs([...gc, '1h'])).out).toContain('1 too young to tell; 0 blocks, 0 B, could be removed');
  const plan = await rfs([...gc, '0']);
  expect(plan.out).toMatch(/ 4 blocks, 3 needed, 0 too young to tell; 1 blocks, \d+ B, could be removed\n$/);
  expect(plan.error).toBe('nothing was removed; give --delete to do it\n');
  const done = await rfs([...gc, '0', '--delete', '--json']);
  expect(done).toMatchObject({ code: 0, error: '' });
  expect(JSON.parse(done.out)).toMatchObject({
    deleted: true,
    manifests: [meta],
    stores: [{ store, blocks: 4, neededBlocks: 3, garbageBlocks: 1 }],
  });
  expect(await blocksIn(blocks)).toEqual(needed);
});

test('without a flist, or with one that cannot be read, nothing is removed', async () => {
  const { root, source, meta, blocks, store } = await packedPlace();
  const before = await blocksIn(blocks);
  const gc = ['gc', '-s', store, '--older-than', '0', '--delete'];
  expect((await rfs(gc)).code).toBe(2);
  const bad = await rfs([...gc, meta, join(source, 'large')]);
  expect(bad).toMatchObject({ code: 1, error: expect.stringMatching(/^error: .*large.*\nhint: /) });
  expect(await rfs([...gc, join(root, 'absent')])).toMatchObject({ code: 1 });
  expect((await rfs(['gc', '-s', store, '--older-than', 'soon', meta])).code).toBe(2);
  expect(await blocksIn(blocks)).toEqual(before);
});
