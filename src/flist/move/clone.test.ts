import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryStore } from '../../store/memory.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { bytesContent } from '../../tree/content.ts';
import { Tree } from '../../tree/tree.ts';
import { blockSize, encodeBlock } from '../block/block-codec.ts';
import { readManifest } from '../manifest/manifest.ts';
import { storeReader } from '../manifest/manifest-tree.ts';
import { packTree } from '../pack.ts';
import { cloneBlocks, uniqueBlocks } from './clone.ts';

const contents = {
  a: Buffer.from('a'),
  copy: Buffer.from('a'),
  large: Buffer.alloc(2 * blockSize + 7, 'more than a block; '),
  zeros: Buffer.alloc(3 * blockSize),
};

async function packed() {
  const path = join(await testDirectory(), 'test.fl');
  const store = new MemoryStore();
  const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const entries = Object.entries(contents);
  const tree = Tree.from(
    entries.map(([name, bytes]) => [name, { kind: 'file', ...metadata, content: bytesContent(bytes) }]),
  );
  await packTree(tree, { manifest: path, store, routes: [] });
  return { manifest: await readManifest(path), store };
}

async function idsIn(store: Store): Promise<BlockId[]> {
  const ids: BlockId[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids.sort();
}

test('the blocks of a manifest are copied, each once, and from the copy every file is read', async () => {
  const { manifest, store } = await packed();
  const extra = await encodeBlock(Buffer.from('of another manifest'));
  await store.put(extra.ref.id, extra.blob);
  const to = new MemoryStore();
  let total = 0;
  const summary = await cloneBlocks(manifest, { from: store, to, onProgress: (_, all) => (total = all) });
  expect(summary).toMatchObject({ blocks: 5, copiedBlocks: 5, remadeBlocks: 0 });
  expect(total).toBe(5);
  expect(await idsIn(to)).toEqual((await idsIn(store)).filter((id) => id !== extra.ref.id));
  const read = storeReader(to);
  for (const inode of manifest.inodes) {
    const bytes: Uint8Array[] = [];
    for (const [i, ref] of manifest.blocksOf(inode.ino).entries())
      bytes.push(await read(ref, Math.min(blockSize, inode.size - i * blockSize)));
    if (inode.name in contents)
      expect(Buffer.concat(bytes).equals(contents[inode.name as keyof typeof contents])).toBe(true);
  }
  expect(await cloneBlocks(manifest, { from: store, to })).toMatchObject({ blocks: 5, copiedBlocks: 0 });
});

test('blocks whose plain bytes are at hand are made anew, never stored under a wrong name, and else fetched', async () => {
  const { manifest, store } = await packed();
  let gets = 0;
  const from: Store = Object.assign(Object.create(store) as Store, {
    get: (id: BlockId) => {
      gets++;
      return store.get(id);
    },
  });
  const read = storeReader(store);
  const blocks = [...uniqueBlocks(manifest)];
  const plain = new Map<BlockId, Uint8Array>();
  for (const block of blocks.slice(1)) plain.set(block.id, await read(block, block.size));
  plain.set(blocks[1]!.id, Buffer.from('not these'));
  const to = new MemoryStore();
  const summary = await cloneBlocks(manifest, { from, to, plainBytes: ({ id }) => plain.get(id) });
  expect(summary).toMatchObject({ blocks: 5, copiedBlocks: 5, remadeBlocks: 3 });
  expect(gets).toBe(2);
  for (const id of await idsIn(store)) expect(Buffer.compare(await to.get(id), await store.get(id))).toBe(0);
});

test('blocks that are there count as put just now', async () => {
  const { manifest, store } = await packed();
  const claimed: BlockId[] = [];
  const to: Store = Object.assign(Object.create(store) as Store, {
    claim: async (id: BlockId) => claimed.push(id) > 0,
  });
  await cloneBlocks(manifest, { from: store, to });
  expect(claimed.sort()).toEqual(await idsIn(store));
});
