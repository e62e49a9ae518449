import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { BlockFiles, type PlainBlock } from './block-files.ts';

const plain = Buffer.from('the plain bytes of a block');
const block: PlainBlock = { id: `abcd${'0'.repeat(60)}`, key: sha256(plain), size: plain.length };

async function emptyCache() {
  const directory = await mkdtemp(join(tmpdir(), 'cache-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'ab', 'cd', block.id);
  return { directory, path, files: new BlockFiles(directory, sha256) };
}

/** Puts bytes where rfs would have put them. */
async function plant(path: string, bytes: Uint8Array) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}

function readPart(files: BlockFiles, start: number, length: number): string | undefined {
  const target = Buffer.alloc(length);
  return files.readInto(target, block, start) ? target.toString() : undefined;
}

test('a block lies under the first digits of its id as rfs lays it, and nothing else is left', async () => {
  const { directory, path, files } = await emptyCache();
  await files.write(block, plain);
  expect(await readFile(path)).toEqual(plain);
  expect(await readdir(directory, { recursive: true })).toEqual(['ab', 'ab/cd', `ab/cd/${block.id}`]);
});

test('a block that rfs has put there is read, whole and in parts', async () => {
  const { path, files } = await emptyCache();
  expect(files.read(block)).toBeUndefined();
  expect(readPart(files, 4, 5)).toBeUndefined();
  await plant(path, plain);
  expect(readPart(files, 4, 5)).toBe('plain');
  expect(readPart(files, 10, 5)).toBe('bytes');
  expect(files.read(block)).toEqual(plain);
});

test.each([
  ['empty', Buffer.alloc(0)],
  ['cut off', plain.subarray(0, 10)],
  ['of the right size with wrong bytes', Buffer.alloc(plain.length, 'x')],
  ['longer than the block', Buffer.concat([plain, plain])],
])('a file that is %s is no hit until it is replaced', async (_, bytes) => {
  const { path, files } = await emptyCache();
  await plant(path, bytes);
  expect(files.read(block)).toBeUndefined();
  expect(readPart(files, 0, 3)).toBeUndefined();
  await files.write(block, plain);
  expect(readPart(files, 0, 3)).toBe('the');
});

test('a block is hashed on its first use only', async () => {
  const { directory, files } = await emptyCache();
  await files.write(block, plain);
  let hashed = 0;
  const counting = new BlockFiles(directory, (bytes) => {
    hashed++;
    return sha256(bytes);
  });
  for (let i = 0; i < 3; i++) readPart(counting, i, 4);
  expect(hashed).toBe(1);
});

test('a block that was verified and then cut off is no hit', async () => {
  const { path, files } = await emptyCache();
  await files.write(block, plain);
  expect(readPart(files, 0, plain.length)).toBe(plain.toString());
  await writeFile(path, plain.subarray(0, 5));
  expect(readPart(files, 0, plain.length)).toBeUndefined();
});

test('a directory or a dangling link in its place is no hit', async () => {
  const { path, files } = await emptyCache();
  await mkdir(path, { recursive: true });
  expect(files.read(block)).toBeUndefined();
  await rm(path, { recursive: true });
  await symlink('/no/such/file', path);
  expect(files.read(block)).toBeUndefined();
  await files.write(block, plain);
  expect(files.read(block)).toEqual(plain);
});
