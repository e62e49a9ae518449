import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryStore } from '../store/memory.ts';
import { testDirectory } from '../store/test-directory.ts';
import { Failover } from '../store/wrappers/failover.ts';
import { FaultStore } from '../store/wrappers/fault.ts';
import { parseFaultRule } from '../store/wrappers/fault-rules.ts';
import { bytesContent } from '../tree/content.ts';
import { Tree } from '../tree/tree.ts';
import { readManifest } from './manifest/manifest.ts';
import { storeReader } from './manifest/manifest-tree.ts';
import { cloneBlocks } from './move/clone.ts';
import { syncStores } from './move/sync-stores.ts';
import { packTree } from './pack.ts';
import { verifyBlocks } from './verify.ts';

const contents = Array.from({ length: 20 }, (_, index) => Buffer.from(`content ${index}`));

/** A flist whose blocks lie in two replicas, of which the one that is asked first damages every block that it gives. */
async function damagedReplica() {
  const path = join(await testDirectory(), 'test.fl');
  const good = new MemoryStore();
  const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const tree = Tree.from(
    contents.map((bytes, index) => [`${index}`, { kind: 'file', ...metadata, content: bytesContent(bytes) }]),
  );
  await packTree(tree, { manifest: path, store: good, routes: [] });
  const bad = new FaultStore(good, { rules: [parseFaultRule('get:flip')] });
  const route = { start: 0x00, end: 0xff, url: 'memory:' };
  const store = new Failover(
    [
      { route, store: bad, isLocal: true },
      { route, store: good },
    ],
    { quarantine: 0 },
  );
  return { manifest: await readManifest(path), store, good, bad };
}

test('a block is read from the next replica when the plain bytes of the first are not right', async () => {
  const { manifest, store, bad } = await damagedReplica();
  const files = [...manifest.inodes].filter(({ ino }) => ino > 1);
  for (const { ino, size, name } of files) {
    const [ref] = manifest.blocksOf(ino);
    expect(Buffer.compare(await storeReader(store)(ref!, size), contents[Number(name)]!)).toBe(0);
    await expect(storeReader(bad)(ref!, size)).rejects.toMatchObject({ kind: 'corrupt' });
  }
  expect(files.length).toBe(contents.length);
});

test('clone and sync copy what is right, and verify finds nothing wrong', async () => {
  const { manifest, store } = await damagedReplica();
  const [cloned, synced] = [new MemoryStore(), new MemoryStore()];
  expect(await cloneBlocks(manifest, { from: store, to: cloned })).toMatchObject({ copiedBlocks: 20 });
  expect(await syncStores({ from: store, to: synced, dryRun: false })).toMatchObject({ copiedBlocks: 20 });
  for (const each of [store, cloned, synced]) {
    const { counts } = await verifyBlocks(manifest, { store: each, content: true });
    expect(counts).toMatchObject({ blocks: 20, damage: { missing: 0, corrupt: 0, mismatch: 0 } });
  }
});
