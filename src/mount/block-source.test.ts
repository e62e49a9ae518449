import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { BlockCache } from '../cache/block-cache.ts';
import { BlockFiles } from '../cache/block-files.ts';
import { type BlockRef, blockKey, encodeBlock, initBlockCodec } from '../flist/block-codec.ts';
import { MemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { testDirectory } from '../store/test-directory.ts';
import { BlockSource } from './block-source.ts';

const plain = Buffer.from('the plain bytes');
let ref: BlockRef;
let blob: Uint8Array;

beforeAll(async () => {
  await initBlockCodec();
  ({ ref, blob } = await encodeBlock(plain));
});

const block = () => ({ ...ref, size: plain.length });

async function sourceOf(get: Store['get'], deadline = 10_000) {
  const store: Store = Object.create(new MemoryStore(), { get: { value: get } });
  const files = new BlockFiles(join(await testDirectory(), 'cache'), blockKey);
  const lines: string[] = [];
  const cache = new BlockCache(files, { warn: (line) => lines.push(line) });
  return { source: new BlockSource({ store, cache, deadline, log: (line) => lines.push(line) }), lines };
}

test('a block of the store is decoded, checked and cached', async () => {
  let asked = 0;
  const { source } = await sourceOf(async () => {
    asked++;
    return blob;
  });
  expect(Buffer.from(await source.read(block())).equals(plain)).toBe(true);
  await source.read(block());
  expect(asked).toBe(1);
  await source.close();
});

test('a damaged block fails, with one line for all attempts until it is right, which names block and store', async () => {
  let bytes: Uint8Array = Buffer.from(blob);
  bytes[3]! ^= 1;
  const { source, lines } = await sourceOf(async () => bytes);
  for (let i = 0; i < 3; i++) await expect(source.read(block())).rejects.toMatchObject({ kind: 'corrupt' });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(ref.id);
  expect(lines[0]).toContain('memory:');
  bytes = blob;
  await source.read(block());
  await source.close();
});

test('a block of another size than the file needs is damage', async () => {
  const { source } = await sourceOf(async () => blob);
  await expect(source.read({ ...ref, size: plain.length + 1 })).rejects.toMatchObject({ kind: 'corrupt' });
  await source.read(block());
  await expect(source.read({ ...ref, size: 5 })).rejects.toMatchObject({ kind: 'corrupt' });
  await source.close();
});

test('a store that does not answer is given up after the deadline, whether it listens or not', async () => {
  const signals: AbortSignal[] = [];
  const { source } = await sourceOf((_, signal) => {
    signals.push(signal!);
    return new Promise(() => {});
  }, 20);
  await expect(source.read(block())).rejects.toMatchObject({ kind: 'timeout' });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
});

test('closing gives up what is under way, without a word', async () => {
  const { source, lines } = await sourceOf(() => new Promise(() => {}));
  const reading = expect(source.read(block())).rejects.toBeInstanceOf(Failure);
  await source.close();
  await reading;
  expect(lines).toEqual([]);
});
