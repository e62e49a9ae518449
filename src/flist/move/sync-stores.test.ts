import { readdir, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { loadBlake2b } from '../../base/blake2b.ts';
import { Failure } from '../../base/errors.ts';
import { DirStore } from '../../store/dir/dir.ts';
import { shardedPath } from '../../store/dir/dir-paths.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { syncStores } from './sync-stores.ts';

const blake2b = await loadBlake2b();
const blobs = Array.from({ length: 50 }, (_, i) => Buffer.from(`stored block ${i}`));
const idOf = (blob: Uint8Array): BlockId => blake2b(blob);
const stored = blobs.reduce((sum, { length }) => sum + length, 0);

async function storeOf(some: readonly Uint8Array[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const blob of some) await store.put(idOf(blob), blob);
  return store;
}

/** A store that counts what it is asked, and never deletes. */
function counted(store: Store) {
  const asked = { get: 0, put: 0, has: 0 };
  const counting: Store = {
    address: store.address,
    capabilities: store.capabilities,
    get(id) {
      asked.get++;
      return store.get(id);
    },
    put(id, blob) {
      asked.put++;
      return store.put(id, blob);
    },
    has(id) {
      asked.has++;
      return store.has(id);
    },
    list: () => store.list(),
    delete: () => Promise.reject(new Error('nothing is ever deleted')),
  };
  return { store: counting, asked };
}

async function ids(store: Store): Promise<BlockId[]> {
  const all: BlockId[] = [];
  for await (const id of store.list()) all.push(id);
  return all.sort();
}

describe('syncing stores', () => {
  test('copies what is missing, byte for byte, and reads and asks for nothing else', async () => {
    const from = counted(await storeOf(blobs));
    const to = counted(await storeOf(blobs.slice(0, 30)));
    const extra = Buffer.from('only here');
    await to.store.put(idOf(extra), extra);
    to.asked.put = 0;
    const summary = await syncStores({ from: from.store, to: to.store });
    expect(summary).toMatchObject({ blocks: 50, missingBlocks: 20, copiedBlocks: 20 });
    expect([from.asked.get, to.asked.put, to.asked.has]).toEqual([20, 20, 0]);
    for (const blob of [...blobs, extra])
      expect(Buffer.compare(await to.store.get(idOf(blob)), blob)).toBe(0);
  });

  test('asks block by block where the destination cannot list', async () => {
    const to = await storeOf(blobs.slice(0, 30));
    const blind: Store = Object.assign(to, { capabilities: { write: true, list: false, delete: false } });
    expect(await syncStores({ from: await storeOf(blobs), to: blind })).toMatchObject({ missingBlocks: 20 });
  });

  test('says in a dry run what is missing and copies nothing', async () => {
    const to = new MemoryStore();
    const summary = await syncStores({ from: await storeOf(blobs), to, dryRun: true });
    expect(summary).toEqual({ blocks: 50, missingBlocks: 50, copiedBlocks: 0, copiedBytes: 0 });
    expect(await ids(to)).toEqual([]);
  });

  test('reports how far it is', async () => {
    const seen: number[] = [];
    const options = { from: await storeOf(blobs), to: new MemoryStore(), concurrency: 1 };
    await syncStores({ ...options, onProgress: ({ blocks }, total) => seen.push(blocks / total) });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toHaveLength(50);
  });

  test('never stores wrong bytes: damaged blocks are named at the end, the others are copied, and healing the source is enough', async () => {
    const from = await storeOf(blobs);
    const to = new MemoryStore();
    const bad = idOf(blobs[7]!);
    await from.put(bad, Buffer.from('something else'));
    await expect(syncStores({ from, to })).rejects.toMatchObject({
      kind: 'corrupt',
      message: '1 of 50 blocks could not be copied',
      cause: expect.stringContaining(bad),
    });
    expect(await ids(to)).toEqual((await ids(from)).filter((id) => id !== bad));
    await from.put(bad, blobs[7]!);
    expect(await syncStores({ from, to })).toMatchObject({ copiedBlocks: 1, copiedBytes: blobs[7]!.length });
  });

  test('stops at a store that fails, and a second run copies only the rest', async () => {
    const from = await storeOf(blobs);
    const held = new MemoryStore();
    const full = new Failure('failed', 'the disk is full');
    let puts = 0;
    const to: Store = {
      ...counted(held).store,
      put: (id, blob) => (++puts > 20 ? Promise.reject(full) : held.put(id, blob)),
    };
    await expect(syncStores({ from, to, concurrency: 4 })).rejects.toBe(full);
    expect(puts).toBeLessThanOrEqual(24);
    expect(await syncStores({ from, to: held })).toMatchObject({ copiedBlocks: 30 });
    expect(await ids(held)).toEqual(await ids(from));
  });

  test('copies many blocks between directories by threads, and names one that is damaged', async () => {
    const many = Array.from({ length: 600 }, (_, i) => Buffer.from(`block number ${i}`));
    const [source, target] = [await testDirectory(), await testDirectory()];
    const [from, to] = [new DirStore(source), new DirStore(target)];
    for (const blob of many) await from.put(idOf(blob), blob);
    const bad = idOf(many.at(-1)!);
    await writeFile(shardedPath(source, bad), 'something else');
    const seen: number[] = [];
    const onProgress = ({ copiedBytes }: { readonly copiedBytes: number }) => seen.push(copiedBytes);
    await expect(syncStores({ from, to, onProgress })).rejects.toMatchObject({
      kind: 'corrupt',
      message: '1 of 600 blocks could not be copied',
      cause: expect.stringContaining(bad),
    });
    expect(seen).toHaveLength(600);
    expect(seen.at(-1)).toBe(
      many.filter((blob) => idOf(blob) !== bad).reduce((sum, { length }) => sum + length, 0),
    );
    expect(await ids(to)).toEqual((await ids(from)).filter((id) => id !== bad));
    for (const id of await ids(to)) expect(idOf(await to.get(id))).toBe(id);
    const left = (await readdir(target, { recursive: true })).filter((name) => name.endsWith('.tmp'));
    expect(left).toEqual([]);
  });

  test('is refused where the source cannot list or the destination cannot be written', async () => {
    const capabilities = { write: false, list: false, delete: false };
    const closed = Object.assign(new MemoryStore(), { capabilities });
    const open = await storeOf(blobs);
    await expect(syncStores({ from: closed, to: open })).rejects.toMatchObject({ kind: 'denied' });
    await expect(syncStores({ from: open, to: closed })).rejects.toMatchObject({ kind: 'denied' });
    expect(await syncStores({ from: open, to: new MemoryStore() })).toMatchObject({ copiedBytes: stored });
  });
});
