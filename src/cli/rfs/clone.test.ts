import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { packedPlace, rfs } from './test-rfs.ts';

test('copies blocks to new stores, and the flist stays as it is', async () => {
  const { root, meta, blocks } = await packedPlace();
  const before = await readFile(meta);
  const copy = join(root, 'copy');
  const cloned = await rfs(['clone', '-m', meta, '-s', `dir://${copy}`]);
  expect(cloned).toMatchObject({ code: 0, error: '' });
  expect(cloned.out).toMatch(/test\.fl: 3 of 3 blocks were missing, .* copied\n$/);
  await run('diff', ['-r', blocks, copy]);
  expect(await readFile(meta)).toEqual(before);
  const again = await rfs(['clone', '-m', meta, '-s', `dir://${copy}`, '--json']);
  expect(JSON.parse(again.out)).toEqual({ blocks: 3, copiedBlocks: 0, copiedBytes: 0, remadeBlocks: 0 });
});

test('writes a flist that names the new stores, without passwords, when the blocks are there', async () => {
  const { root, source, meta, blocks } = await packedPlace();
  const [low, high, output] = [join(root, 'low'), join(root, 'high'), join(root, 'new.fl')];
  const stores = ['-s', `00-7f=dir://${low}`, '-s', `80-ff=dir://${high}`];
  expect(await rfs(['clone', '-m', meta, ...stores, '-o', output])).toMatchObject({ code: 0 });
  await rm(blocks, { recursive: true });
  expect((await rfs(['config', '-m', output, 'store', 'list'])).out).toBe(
    `routes:\n\trange:[0-127] store:dir://${low}\n\trange:[128-255] store:dir://${high}\n`,
  );
  const target = join(root, 'out');
  await rfs(['unpack', '-m', output, '-c', join(root, 'cache'), target]);
  await run('diff', ['-r', '--no-dereference', source, target]);
});

test('takes blocks from a cache, and from another store than the flist names', async () => {
  const { root, meta, blocks, store } = await packedPlace();
  const cache = join(root, 'cache');
  await rfs(['unpack', '-m', meta, '-c', cache, join(root, 'out')]);
  await rfs(['config', '-m', meta, 'store', 'delete', '--all']);
  const clone = ['clone', '-m', meta, '--json', '-s'];
  const fromCache = await rfs([...clone, `dir://${root}/one`, '-c', cache]);
  expect(JSON.parse(fromCache.out)).toMatchObject({ copiedBlocks: 3, remadeBlocks: 3 });
  expect((await rfs([...clone, `dir://${root}/two`, '--from', store])).code).toBe(0);
  for (const copy of ['one', 'two']) await run('diff', ['-r', blocks, join(root, copy)]);
});

test('a block that no store has is named, the others are copied, and no new flist is written', async () => {
  const { root, meta, blocks } = await packedPlace();
  const [first] = (await run('find', [blocks, '-type', 'f'])).stdout.toString().split('\n');
  await rm(first!);
  const output = join(root, 'new.fl');
  const failed = await rfs(['clone', '-m', meta, '-s', `dir://${root}/copy`, '-o', output]);
  expect(failed.code).toBe(1);
  expect(failed.error).toMatch(/^error: 1 of 3 blocks could not be copied: .*has no block .*\nhint: /);
  await expect(readFile(output)).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await rfs(['clone', '-m', meta])).code).toBe(2);
});
