import { describe, expect, test } from 'vitest';
import type { BlockId, Store } from './store.ts';
import { blockOf, noiseBlock, someBlocks, type TestBlock } from './test-blocks.ts';
import { claimBlock } from './upkeep.ts';

/** An empty store under test, and how its blocks get in; they are put into `seed` where the store itself cannot write. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Keeps the blocks; the store itself, or what stands behind it. */
  readonly seed: Store;
}

declare module 'vitest' {
  interface TaskMeta {
    /** The store said that it cannot do what the case is about, as it should. */
    cannot?: boolean;
  }
}

/** What follows a store's name in the title of its tests; the printed matrix finds them by it (tools/store-matrix.ts). */
export const titleEnd = ' as a store';

/** Every byte, and what text would not survive. */
const binary = blockOf(
  Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.from('\r\n\0\n\r')]),
);
const small = blockOf('the stored bytes of a block');
const other = blockOf('another block');
/** 512 KiB that snappy makes larger (32 + n + n/6 bytes), and the tag of the cipher. */
const largestSize = 32 + 524_288 + Math.floor(524_288 / 6) + 16;
const notIds = ['', 'ab', '.', '..', '../../../etc/passwd', `/${'a'.repeat(63)}`, `${'a'.repeat(62)}/x`];
const almostIds = [
  'A'.repeat(64),
  'a'.repeat(63),
  'a'.repeat(65),
  `${'a'.repeat(63)}g`,
  `${'a'.repeat(64)}\n`,
];
const told = new Error('told to stop');

const putAll = (store: Store, blocks: readonly TestBlock[]) =>
  Promise.all(blocks.map(({ id, blob }) => store.put(id, blob)));

async function listOf(store: Store, signal?: AbortSignal): Promise<BlockId[]> {
  const ids: BlockId[] = [];
  for await (const id of store.list(signal)) ids.push(id);
  return ids.sort();
}

async function expectHolds(store: Store, { id, blob }: TestBlock): Promise<void> {
  expect(Buffer.compare(await store.get(id), blob)).toBe(0);
}

/** Whole under its name, or not there at all; a store that looks may also find that it is damaged. */
async function expectWholeOrAbsent(store: Store, { id, blob }: TestBlock): Promise<void> {
  const got = await store.get(id).catch((error) => error);
  if (got instanceof Uint8Array) expect(Buffer.compare(got, blob)).toBe(0);
  else expect(got).toMatchObject({ kind: expect.stringMatching(/^(not-found|corrupt)$/) });
}

/** The table that every store and every wrapper around one passes. A secret in its address is spelled `secret`. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(name + titleEnd, () => {
    test('gives back every byte as it was put', async () => {
      const { store, seed } = await open();
      await putAll(seed, [binary, small]);
      await expectHolds(store, binary);
      await expectHolds(store, small);
    });

    test('keeps the largest block there is', async () => {
      const { store, seed } = await open();
      const largest = noiseBlock(largestSize);
      await seed.put(largest.id, largest.blob);
      await expectHolds(store, largest);
    });

    test('keeps an empty block or refuses it, and does not take it for a missing one', async () => {
      const { store, seed } = await open();
      const empty = blockOf('');
      const refusal = await seed.put(empty.id, empty.blob).catch((error) => error);
      const got = await store.get(empty.id).catch((error) => error);
      if (got instanceof Uint8Array) expect(got.length).toBe(0);
      else expect(got.kind === 'not-found').toBe(refusal !== undefined);
      expect(await store.has(empty.id)).toBe(refusal === undefined);
    });

    test('keeps what was put, whatever its caller does with the buffer afterwards', async () => {
      const { seed, store } = await open();
      const buffer = Uint8Array.from(small.blob);
      await seed.put(small.id, buffer);
      buffer.fill(0);
      await expectHolds(store, small);
    });

    test('says not-found for a block that it does not hold', async () => {
      const { store, seed } = await open();
      await seed.put(other.id, other.blob);
      await expect(store.get(small.id)).rejects.toMatchObject({
        name: 'Failure',
        kind: 'not-found',
        message: expect.stringContaining(small.id),
      });
    });

    test('knows which blocks it holds, as soon as they are put', async () => {
      const { store, seed } = await open();
      expect(await store.has(small.id)).toBe(false);
      await seed.put(small.id, small.blob);
      expect(await store.has(small.id)).toBe(true);
      expect(await store.has(other.id)).toBe(false);
    });

    test('takes the same block twice, and by many at once', async () => {
      const { store, seed } = await open();
      await putAll(seed, Array(20).fill(small));
      await seed.put(small.id, small.blob);
      await expectHolds(store, small);
      if (store.capabilities.list) expect(await listOf(store)).toEqual([small.id]);
    });

    test('gives 200 blocks at once', async () => {
      const { store, seed } = await open();
      const blocks = someBlocks(25);
      await putAll(seed, blocks);
      const asked = Array.from({ length: 200 }, (_, index) => blocks[index % blocks.length]!);
      const got = await Promise.all(asked.map(({ id }) => store.get(id)));
      for (const [index, { blob }] of asked.entries()) expect(Buffer.compare(got[index]!, blob)).toBe(0);
    });

    test('lists every block once, or says that it cannot', async ({ task }) => {
      const { store, seed } = await open();
      const blocks = someBlocks(40);
      task.meta.cannot = !store.capabilities.list;
      if (store.capabilities.list) expect(await listOf(store)).toEqual([]);
      await putAll(seed, blocks);
      if (store.capabilities.list) expect(await listOf(store)).toEqual(blocks.map(({ id }) => id).sort());
      else await expect(listOf(store)).rejects.toMatchObject({ kind: 'denied' });
    });

    test('deletes a block, also one that is not there, or says that it cannot', async ({ task }) => {
      const { store, seed } = await open();
      await putAll(seed, [small, other]);
      task.meta.cannot = !store.capabilities.delete;
      if (store.capabilities.delete) {
        await store.delete(small.id);
        await store.delete(small.id);
        expect(await store.has(small.id)).toBe(false);
        await expect(store.get(small.id)).rejects.toMatchObject({ kind: 'not-found' });
      } else await expect(store.delete(small.id)).rejects.toMatchObject({ kind: 'denied' });
      await expectHolds(store, other);
    });

    test('writes, or says that it cannot', async ({ task }) => {
      const { store } = await open();
      task.meta.cannot = !store.capabilities.write;
      if (store.capabilities.write) {
        await store.put(small.id, small.blob);
        expect(await store.has(small.id)).toBe(true);
      } else await expect(store.put(small.id, small.blob)).rejects.toMatchObject({ kind: 'denied' });
    });

    test('shows no block before it is whole', async () => {
      const { store, seed } = await open();
      const large = noiseBlock(largestSize);
      let isPut = false;
      const put = seed.put(large.id, large.blob).finally(() => {
        isPut = true;
      });
      while (!isPut) await expectWholeOrAbsent(store, large);
      await put;
      await expectHolds(store, large);
    });

    test('asks nobody after it was told to stop', async () => {
      const { store, seed } = await open();
      await seed.put(small.id, small.blob);
      const signal = AbortSignal.abort(told);
      await expect(store.get(small.id, signal)).rejects.toBe(told);
      await expect(store.has(small.id, signal)).rejects.toBe(told);
      if (store.capabilities.list) await expect(listOf(store, signal)).rejects.toBe(told);
      if (store.capabilities.delete) await expect(store.delete(small.id, signal)).rejects.toBe(told);
      if (store.capabilities.write) await expect(store.put(other.id, other.blob, signal)).rejects.toBe(told);
      expect(await store.has(small.id)).toBe(true);
      expect(await store.has(other.id)).toBe(false);
    });

    test('stops when it is told to, and only for who told it', async () => {
      const { store, seed } = await open();
      await seed.put(small.id, small.blob);
      const stop = new AbortController();
      const stopped = [
        store.get(small.id, stop.signal),
        store.has(small.id, stop.signal),
        ...(store.capabilities.write ? [store.put(other.id, other.blob, stop.signal)] : []),
      ];
      const going = store.get(small.id);
      stop.abort(told);
      for (const result of await Promise.allSettled(stopped))
        if (result.status === 'rejected') expect(result.reason).toBe(told);
      expect(Buffer.compare(await going, small.blob)).toBe(0);
      await expectWholeOrAbsent(store, other);
    });

    test('refuses what is no id of a block, and touches nothing', async () => {
      const { store } = await open();
      const refusal = { name: 'Failure', kind: 'usage' };
      for (const id of [...notIds, ...almostIds]) {
        await expect(store.get(id)).rejects.toMatchObject(refusal);
        await expect(store.has(id)).rejects.toMatchObject(refusal);
        await expect(store.put(id, small.blob)).rejects.toMatchObject(refusal);
        await expect(store.delete(id)).rejects.toMatchObject(refusal);
        await expect(claimBlock(store, id)).rejects.toMatchObject(refusal);
      }
      if (store.capabilities.list) expect(await listOf(store)).toEqual([]);
    });

    test('knows how old its blocks are and spares those that are claimed, or says nothing of ages', async ({
      task,
    }) => {
      const { store, seed } = await open();
      await seed.put(small.id, small.blob);
      expect(await claimBlock(store, small.id)).toBe(true);
      expect(await claimBlock(store, other.id)).toBe(false);
      task.meta.cannot = store.upkeep === undefined;
      if (store.upkeep === undefined) return;
      const { modified, size } = (await store.upkeep.stat(small.id))!;
      expect(size).toBe(small.blob.length);
      expect(await store.upkeep.stat(other.id)).toBeUndefined();
      expect(await store.upkeep.sweep(small.id, modified)).toBe(false);
      expect(await store.has(small.id)).toBe(true);
      expect(await store.upkeep.sweep(small.id, modified + 1000)).toBe(true);
      expect(await store.has(small.id)).toBe(false);
      expect(await store.upkeep.sweep(small.id, modified + 1000)).toBe(false);
    });

    test('has an address for people, and errors, without secrets', async () => {
      const { store } = await open();
      const failure = await store.get(small.id).catch((error) => error);
      const seen = [store.address, failure.message, failure.hint, String(failure.cause), failure.stack];
      expect(store.address).not.toBe('');
      expect(seen.join('\n')).not.toContain('secret');
    });
  });
}
