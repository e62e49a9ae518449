import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Store } from './store.ts';
import { claimBlock } from './upkeep.ts';

/** A store under test, and how its blocks get in; they are put into `seed` where the store itself cannot write. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Keeps the blocks; the store itself, or what stands behind it. */
  readonly seed: Store;
}

const blob = Buffer.from('the stored bytes of a block');
const other = Buffer.alloc(700_000, 'another block, as large as blocks get; ');
const idOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The table that every store and every wrapper around one passes. */
export function describeStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a store`, () => {
    test('gives back what was put, byte for byte', async () => {
      const { store, seed } = await open();
      await seed.put(idOf(blob), blob);
      await seed.put(idOf(other), other);
      expect(Buffer.compare(await store.get(idOf(blob)), blob)).toBe(0);
      expect(Buffer.compare(await store.get(idOf(other)), other)).toBe(0);
    });

    test('says not-found for a block it does not hold', async () => {
      const { store } = await open();
      await expect(store.get(idOf(blob))).rejects.toMatchObject({ name: 'Failure', kind: 'not-found' });
    });

    test('knows which blocks it holds', async () => {
      const { store, seed } = await open();
      expect(await store.has(idOf(blob))).toBe(false);
      await seed.put(idOf(blob), blob);
      expect(await store.has(idOf(blob))).toBe(true);
    });

    test('takes the same block twice, and by many at once', async () => {
      const { store, seed } = await open();
      await Promise.all(Array.from({ length: 20 }, () => seed.put(idOf(blob), blob)));
      await seed.put(idOf(blob), blob);
      const read = await Promise.all(Array.from({ length: 20 }, () => store.get(idOf(blob))));
      for (const bytes of read) expect(Buffer.compare(bytes, blob)).toBe(0);
    });

    test('lists its blocks, or says that it cannot', async () => {
      const { store, seed } = await open();
      await seed.put(idOf(blob), blob);
      await seed.put(idOf(other), other);
      const list = async () => {
        const ids: string[] = [];
        for await (const id of store.list()) ids.push(id);
        return ids.sort();
      };
      if (store.capabilities.list) expect(await list()).toEqual([idOf(blob), idOf(other)].sort());
      else await expect(list()).rejects.toMatchObject({ kind: 'denied' });
    });

    test('deletes a block, also one that is not there, or says that it cannot', async () => {
      const { store, seed } = await open();
      await seed.put(idOf(blob), blob);
      if (store.capabilities.delete) {
        await store.delete(idOf(blob));
        await store.delete(idOf(blob));
        expect(await store.has(idOf(blob))).toBe(false);
      } else await expect(store.delete(idOf(blob))).rejects.toMatchObject({ kind: 'denied' });
    });

    test('writes, or says that it cannot', async () => {
      const { store } = await open();
      if (store.capabilities.write) {
        await store.put(idOf(blob), blob);
        expect(await store.has(idOf(blob))).toBe(true);
      } else await expect(store.put(idOf(blob), blob)).rejects.toMatchObject({ kind: 'denied' });
    });

    test('knows how old its blocks are and spares those that are claimed, or says nothing of ages', async () => {
      const { store, seed } = await open();
      await seed.put(idOf(blob), blob);
      expect(await claimBlock(store, idOf(blob))).toBe(true);
      expect(await claimBlock(store, idOf(other))).toBe(false);
      if (store.upkeep === undefined) return;
      const { modified, size } = (await store.upkeep.stat(idOf(blob)))!;
      expect(size).toBe(blob.length);
      expect(await store.upkeep.stat(idOf(other))).toBeUndefined();
      expect(await store.upkeep.sweep(idOf(blob), modified)).toBe(false);
      expect(await store.has(idOf(blob))).toBe(true);
      expect(await store.upkeep.sweep(idOf(blob), modified + 1000)).toBe(true);
      expect(await store.has(idOf(blob))).toBe(false);
      expect(await store.upkeep.sweep(idOf(blob), modified + 1000)).toBe(false);
    });

    test('stops when it is told to', async () => {
      const { store, seed } = await open();
      await seed.put(idOf(blob), blob);
      const reason = new Error('told to stop');
      const signal = AbortSignal.abort(reason);
      await expect(store.get(idOf(blob), signal)).rejects.toBe(reason);
      await expect(store.has(idOf(blob), signal)).rejects.toBe(reason);
    });
  });
}
