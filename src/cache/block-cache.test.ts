import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { BlockCache } from './block-cache.ts';
import { BlockFiles, type PlainBlock } from './block-files.ts';

const plain = Buffer.from('plain bytes');

function blockOf(bytes: Uint8Array): PlainBlock {
  return { id: sha256(`id of ${sha256(bytes)}`), key: sha256(bytes), size: bytes.length };
}

const block = blockOf(plain);

async function emptyCache(options: { memory?: number; directory?: string } = {}) {
  const root = await mkdtemp(join(tmpdir(), 'cache-test-'));
  const directory = join(root, options.directory ?? 'cache');
  const warnings: string[] = [];
  const warn = (message: string) => warnings.push(message);
  const cache = new BlockCache(new BlockFiles(directory, sha256), {
    warn,
    memory: options.memory ?? 1 << 20,
  });
  onTestFinished(async () => {
    await cache.flush(); // a write that is still under way would put files into what is being removed
    await rm(root, { recursive: true, force: true });
  });
  return { root, directory, cache, warnings };
}

/** A fetch that counts how often it is called. */
function fetching(bytes: Uint8Array) {
  const fetch = async () => {
    fetch.calls++;
    return bytes;
  };
  fetch.calls = 0;
  return fetch;
}

const never = () => Promise.reject(new Error('must not be fetched'));

test('a block is fetched once however many ask for it at the same time', async () => {
  const { cache } = await emptyCache();
  const fetch = fetching(plain);
  const all = await Promise.all(Array.from({ length: 10 }, () => cache.get(block, fetch)));
  expect(fetch.calls).toBe(1);
  for (const bytes of all) expect(bytes).toEqual(plain);
});

test('a block that a flist gives a wrong size is not answered from memory, nor together with the right one', async () => {
  const { cache } = await emptyCache();
  const wrong = { ...block, size: 3 };
  const refuse = () => Promise.reject(new Error('it has another size'));
  const [right, both] = await Promise.allSettled([
    cache.get(block, fetching(plain)),
    cache.get(wrong, refuse),
  ]);
  expect([right.status, both.status]).toEqual(['fulfilled', 'rejected']);
  await expect(cache.get(wrong, refuse)).rejects.toThrow('another size');
  expect(await cache.get(block, never)).toEqual(plain);
});

test('a fetched block is on the disk for the next process', async () => {
  const { directory, cache } = await emptyCache();
  await cache.get(block, fetching(plain));
  await cache.flush();
  const next = new BlockCache(new BlockFiles(directory, sha256), { warn: () => {} });
  expect(await next.get(block, never)).toEqual(plain);
});

test('a failed fetch is not remembered', async () => {
  const { cache } = await emptyCache();
  await expect(cache.get(block, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(await cache.get(block, fetching(plain))).toEqual(plain);
});

test('a torn file is fetched again and healed', async () => {
  const { directory, cache } = await emptyCache();
  const path = join(directory, block.id.slice(0, 2), block.id.slice(2, 4), block.id);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, plain.subarray(0, 4));
  expect(await cache.get(block, fetching(plain))).toEqual(plain);
  await cache.flush();
  expect(await readFile(path)).toEqual(plain);
});

test('a directory that cannot be written costs a warning, not the read, and memory still serves', async () => {
  const { root, cache, warnings } = await emptyCache({ directory: 'file/cache' });
  await writeFile(join(root, 'file'), 'in the way');
  const fetch = fetching(plain);
  const other = Buffer.from('other bytes');
  expect(await cache.get(block, fetch)).toEqual(plain);
  await cache.flush();
  expect(await cache.get(block, never)).toEqual(plain);
  expect(await cache.get(blockOf(other), fetching(other))).toEqual(other);
  await cache.flush();
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(join(root, 'file', 'cache'));
});

test('more blocks than may wait for the disk all get there', async () => {
  const { directory, cache } = await emptyCache({ memory: 0 });
  const contents = Array.from({ length: 50 }, (_, i) => Buffer.from(`block ${i}`));
  await Promise.all(contents.map((bytes) => cache.get(blockOf(bytes), fetching(bytes))));
  await cache.flush();
  const files = new BlockFiles(directory, sha256);
  for (const bytes of contents) expect(files.read(blockOf(bytes))).toEqual(bytes);
});

test('a block that somebody else fetched is kept, and found without a fetch', async () => {
  const { cache, directory } = await emptyCache({ memory: 0 });
  expect(cache.peek(block)).toBeUndefined();
  await cache.keep(block, plain);
  await cache.flush();
  expect(cache.peek(block)).toEqual(plain);
  const another = new BlockCache(new BlockFiles(directory, sha256), { warn: () => {} });
  expect(another.peek({ ...block, key: sha256('of other bytes') })).toBeUndefined();
});
