import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedPlace, rfs } from './test-rfs.ts';

const verify = (...args: string[]) => rfs(['verify', ...args], { accept: [0, 1, 2, 3, 4, 5, 6] });

/** The file of one block of the store. */
async function someBlock(blocks: string): Promise<string> {
  const files = await readdir(blocks, { recursive: true, withFileTypes: true });
  const file = files.find((entry) => entry.isFile() && entry.name.length === 64)!;
  return join(file.parentPath, file.name);
}

test('a flist whose blocks are all there is sound', async () => {
  const { meta, store } = await packedPlace();
  const sound = { code: 0, error: '', out: `${meta}: 3 blocks, 586 KiB: sound\n` };
  expect(await verify(meta)).toEqual(sound);
  expect(await verify(meta, '--no-content', '--store', store)).toEqual(sound);
});

test('the exit code says what is damaged, and the files of it are named', async () => {
  const { root, meta, blocks } = await packedPlace();
  const block = await someBlock(blocks);
  const bytes = await readFile(block);
  bytes[0]! ^= 1;
  await writeFile(block, bytes);
  const corrupt = await verify(meta);
  expect(corrupt).toMatchObject({ code: 5, error: '' });
  expect(corrupt.out).toMatch(/^\/(dir\/file|large): block [01], [0-9a-f]{64}, is corrupt\n.*: 1 corrupt\n$/);
  await rm(block);
  expect((await verify(meta, '--no-content')).code).toBe(4);
  const missing = await verify('--json', meta);
  expect(missing.code).toBe(4);
  expect(JSON.parse(missing.out)).toMatchObject({
    damagedFiles: [{ blocks: [{ damage: 'missing' }] }],
    blocks: 3,
    damage: { missing: 1, corrupt: 0, mismatch: 0 },
  });
  expect((await verify(meta, '-s', 'http://127.0.0.1:1/')).code).toBe(6);
  const cut = join(root, 'cut.fl');
  await writeFile(cut, (await readFile(meta)).subarray(0, 5000));
  expect((await verify(cut)).code).toBe(3);
  expect((await verify(join(root, 'absent.fl'))).code).toBe(1);
});

test('a flist that names no store needs one on the command line', async () => {
  const { meta, store } = await packedPlace();
  await rfs(['config', '-m', meta, 'store', 'delete', '--all']);
  expect(await verify(meta)).toMatchObject({ code: 2, error: expect.stringContaining('--store') });
  expect((await verify(meta, '-s', store)).code).toBe(0);
  expect((await verify()).code).toBe(2);
});
