import { mkdtempDisposable, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { MemoryStore } from '../store/memory.ts';
import { openStore } from '../store/open.ts';
import type { Store } from '../store/store.ts';
import { type BlockRef, blockSize, encodeBlock } from './block/block-codec.ts';
import type { Inode } from './manifest/inode.ts';
import { type Manifest, manifestOf } from './manifest/manifest.ts';
import { sampleRows } from './manifest/test-manifest.ts';
import { EqualBlocks, placedBlocks } from './placed-blocks.ts';
import { verifyBlocks } from './verify.ts';

const root = sampleRows().inodes[0]!;
const zeros = Buffer.alloc(blockSize);
const small = Buffer.from('a small block');
let zerosRef: BlockRef;
let smallRef: BlockRef;
const blobs = new Map<string, Uint8Array>();

beforeAll(async () => {
  for (const plain of [zeros, small]) {
    const { ref, blob } = await encodeBlock(plain);
    blobs.set(ref.id, blob);
    if (plain === zeros) zerosRef = ref;
    else smallRef = ref;
  }
});

async function fullStore(): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const [id, blob] of blobs) await store.put(id, blob);
  return store;
}

/** A manifest of files by their blocks, the last of which is the small one or a whole one. */
function manifestWith(
  files: Readonly<Record<string, readonly BlockRef[]>>,
  change: Partial<Inode> = {},
): Manifest {
  const inodes: Inode[] = [root];
  const blocks = new Map<number, readonly BlockRef[]>();
  for (const [name, refs] of Object.entries(files)) {
    const ino = inodes.length + 1;
    const tail = refs.at(-1)?.id === smallRef.id ? small.length : blockSize;
    const size = refs.length === 0 ? 0 : (refs.length - 1) * blockSize + tail;
    inodes.push({ ...root, ino, parent: 1, name, mode: 0o100644, size, ...change });
    blocks.set(ino, refs);
  }
  return manifestOf({ inodes, blocks });
}

const files = () =>
  manifestWith({ a: [zerosRef, smallRef], b: [smallRef], c: [zerosRef, zerosRef], empty: [] });
const sound = { missing: 0, corrupt: 0, mismatch: 0 };

describe('verifying', () => {
  test('finds a whole flist sound, and asks for each different block once', async () => {
    const store = await fullStore();
    const asked: string[] = [];
    const counting: Store = Object.assign(store, {
      get: (id: string) => {
        asked.push(id);
        return MemoryStore.prototype.get.call(store, id);
      },
    });
    const progress: number[] = [];
    const { counts, damagedFiles } = await verifyBlocks(files(), {
      store: counting,
      onProgress: ({ blocks }, total) => progress.push(blocks / total),
    });
    expect(counts).toEqual({ blocks: 2, bytes: blockSize + small.length, damage: sound });
    expect([...damagedFiles]).toEqual([]);
    expect(asked.toSorted()).toEqual([zerosRef.id, smallRef.id].toSorted());
    expect(progress).toEqual([0.5, 1]);
  });

  test.each([true, false])('names every file of a block that is missing (content: %s)', async (content) => {
    const store = await fullStore();
    await store.delete(smallRef.id);
    const { counts, damagedFiles } = await verifyBlocks(files(), { store, content });
    expect(counts).toMatchObject({ blocks: 2, damage: { ...sound, missing: 1 } });
    expect([...damagedFiles]).toEqual([
      { path: 'a', blocks: [{ index: 1, id: smallRef.id, damage: 'missing' }] },
      { path: 'b', blocks: [{ index: 0, id: smallRef.id, damage: 'missing' }] },
    ]);
  });

  test('finds a flipped bit only when it looks at the content', async () => {
    const store = await fullStore();
    const damaged = Uint8Array.from(blobs.get(zerosRef.id)!);
    damaged[100]! ^= 4;
    await store.put(zerosRef.id, damaged);
    const { counts, damagedFiles } = await verifyBlocks(files(), { store });
    expect(counts.damage).toEqual({ ...sound, corrupt: 1 });
    expect([...damagedFiles].map(({ path, blocks }) => [path, blocks.map(({ index }) => index)])).toEqual([
      ['a', [0]],
      ['c', [0, 1]],
    ]);
    expect((await verifyBlocks(files(), { store, content: false })).counts.damage).toEqual(sound);
  });

  test('tells bad bytes from a manifest that says something else of good ones', async () => {
    const store = await fullStore();
    const wrongKey = { ...zerosRef, key: smallRef.key };
    const manifest = manifestWith({ good: [zerosRef], bad: [wrongKey], short: [smallRef] }, {});
    const longer = manifestWith({ x: [smallRef] }, { size: small.length + 1 });
    expect((await verifyBlocks(manifest, { store })).counts).toMatchObject({
      blocks: 3,
      damage: { ...sound, mismatch: 1 },
    });
    expect((await verifyBlocks(longer, { store })).counts.damage).toEqual({ ...sound, mismatch: 1 });
  });

  test('takes a store that finds the damage itself at its word', async () => {
    const store = Object.assign(new MemoryStore(), {
      get: async () => {
        throw new Failure('corrupt', 'all replicas are damaged');
      },
    });
    expect((await verifyBlocks(files(), { store })).counts.damage).toEqual({ ...sound, corrupt: 2 });
  });

  test.each(['unavailable', 'timeout', 'denied'] as const)('ends when the store fails (%s)', async (kind) => {
    const store = Object.assign(new MemoryStore(), {
      get: async () => {
        throw new Failure(kind, 'no answer', { hint: 'try again' });
      },
    });
    await expect(verifyBlocks(files(), { store })).rejects.toMatchObject({
      kind: 'unavailable',
      cause: 'no answer',
      hint: 'try again',
    });
  });
});

test('threads that read a directory find in each block what is wrong with it', async () => {
  await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
  const store = await openStore(`dir://${scratch.path}/blocks`);
  const wrong = new Map<string, string>();
  const refs = await Promise.all(
    Array.from({ length: 900 }, async (_, i) => {
      const { ref, blob } = await encodeBlock(Buffer.from(`block ${i}`.padEnd(small.length)));
      const damage =
        i % 100 === 7 ? (['missing', 'corrupt', 'mismatch'] as const)[Math.floor(i / 100) % 3] : undefined;
      if (damage !== undefined) wrong.set(`${i}`, damage);
      if (damage !== 'missing') await store.put(ref.id, damage === 'corrupt' ? blob.toReversed() : blob);
      return damage === 'mismatch' ? { ...ref, key: smallRef.key } : ref;
    }),
  );
  const manifest = manifestWith(Object.fromEntries(refs.map((ref, i) => [`${i}`, [ref]])), {
    size: small.length,
  });
  const progress: number[] = [];
  const { counts, damagedFiles } = await verifyBlocks(manifest, {
    store,
    onProgress: ({ blocks }) => progress.push(blocks),
  });
  expect(new Map([...damagedFiles].map(({ path, blocks: [block] }) => [path, block!.damage]))).toEqual(wrong);
  expect(counts).toEqual({
    blocks: 900,
    bytes: 900 * small.length,
    damage: { missing: 3, corrupt: 3, mismatch: 3 },
  });
  expect(progress).toEqual(Array.from({ length: 900 }, (_, i) => i + 1));
  await rm(join(scratch.path, 'blocks'), { recursive: true });
  await writeFile(join(scratch.path, 'blocks'), 'no directory');
  await expect(verifyBlocks(manifest, { store })).rejects.toMatchObject({ kind: 'unavailable' });
});

test('blocks are equal when id, key and size are, in any manifest', () => {
  const digit = fc.constantFrom('a', 'b', 'c');
  const ref = fc
    .record({ id: digit, key: digit })
    .map(({ id, key }) => ({ id: id.repeat(64), key: key.repeat(64) }));
  const file = fc.record({ refs: fc.array(ref, { maxLength: 5 }), tail: fc.constantFrom(1, 2, blockSize) });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 6 }), (all) => {
      const inodes: Inode[] = [root];
      const blocks = new Map<number, BlockRef[]>();
      const expected: string[] = [];
      for (const { refs, tail } of all) {
        const ino = inodes.length + 1;
        const size = refs.length === 0 ? 0 : (refs.length - 1) * blockSize + tail;
        inodes.push({ ...root, ino, parent: 1, name: `${ino}`, mode: 0o100644, size });
        blocks.set(ino, refs);
        for (const [i, { id, key }] of refs.entries())
          expected.push(`${id} ${key} ${i + 1 < refs.length ? blockSize : tail}`);
      }
      const { columns } = manifestOf({ inodes, blocks });
      const equal = new EqualBlocks([columns], 'id, key and size');
      const found = Array.from(placedBlocks(columns), (block) => equal.firstLike(block));
      expect(found).toEqual(expected.map((text) => expected.indexOf(text)));
    }),
  );
});
