import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../base/digest.ts';
import { Failure } from '../base/errors.ts';
import { MemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { testDirectory } from '../store/test-directory.ts';
import { treeArbitrary } from '../tree/arbitrary.ts';
import { bytesContent, type Content } from '../tree/content.ts';
import { dumpTree } from '../tree/dump.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { blockSize } from './block/block-codec.ts';
import { readManifest } from './manifest/manifest.ts';
import { storeReader, treeOfManifest } from './manifest/manifest-tree.ts';
import { packTree } from './pack.ts';

const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000 };
const file = (content: Content | Uint8Array | string): Entry => ({
  kind: 'file',
  ...metadata,
  content: typeof content === 'string' || content instanceof Uint8Array ? bytesContent(content) : content,
});
const routes = [{ start: 0x00, end: 0xff, url: 'dir:///srv/blocks' }];
const noise = (seed: number, size: number) =>
  Buffer.alloc(size).map((_, i) => (Math.imul(i ^ seed, 2654435761) >>> 13) & 255);

async function manifestPath(): Promise<string> {
  return join(await testDirectory(), 'test.fl');
}

describe('a packed tree', () => {
  test('comes back from the manifest and the store, and packs to the same manifest again', async () => {
    const directory = await testDirectory();
    await fc.assert(
      fc.asyncProperty(treeArbitrary(), fc.integer({ min: 1, max: 9 }), async (tree, concurrency) => {
        const [first, second] = [join(directory, 'first.fl'), join(directory, 'second.fl')];
        const store = new MemoryStore();
        await packTree(tree, { manifest: first, store, routes, concurrency });
        const back = treeOfManifest(await readManifest(first), storeReader(store));
        expect(await dumpTree(back)).toBe(await dumpTree(tree));
        const again = await packTree(back, { manifest: second, store, routes });
        expect(again.newBlocks).toBe(0);
        expect(sha256(await readFile(second))).toBe(sha256(await readFile(first)));
      }),
      { numRuns: 60 },
    );
  });

  test('is cut into blocks of exactly 512 KiB but the last, whatever chunks its contents come in', async () => {
    const sizes = [0, 1, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize];
    const whole = noise(1, 3 * blockSize);
    const inOddChunks = (bytes: Uint8Array): Content => ({
      ...bytesContent(bytes),
      async *chunks() {
        for (let at = 0; at < bytes.length; at += 77_777) yield bytes.subarray(at, at + 77_777);
      },
    });
    const packed: string[] = [];
    for (const wrap of [bytesContent, inOddChunks]) {
      const manifest = await manifestPath();
      const store = new MemoryStore();
      const tree = Tree.from(sizes.map((size) => [`${size}`, file(wrap(whole.subarray(0, size)))]));
      const summary = await packTree(tree, { manifest, store, routes });
      expect(summary).toMatchObject({ files: 6, blocks: 0 + 1 + 1 + 1 + 2 + 3 });
      const back = treeOfManifest(await readManifest(manifest), storeReader(store));
      for (const size of sizes)
        expect(Buffer.compare(await back.file(`${size}`)!.content.read(), whole.subarray(0, size))).toBe(0);
      packed.push(sha256(await readFile(manifest)));
    }
    expect(packed[0]).toBe(packed[1]);
  });

  test('keeps equal blocks once, and puts nothing that the store has', async () => {
    const store = new MemoryStore();
    const tree = Tree.from([
      ['sparse', file(Buffer.alloc(5 * blockSize))],
      ['copy', file(Buffer.alloc(blockSize))],
      ['other', file('other')],
    ]);
    const first = await packTree(tree, { manifest: await manifestPath(), store, routes });
    expect(first).toMatchObject({ files: 3, blocks: 7, newBlocks: 2, bytes: 6 * blockSize + 5 });
    let puts = 0;
    const counting: Store = Object.assign(Object.create(store), {
      put: async () => void puts++,
      claim: (id: string) => store.has(id),
      list: () => store.list(),
    });
    const second = await packTree(tree, { manifest: await manifestPath(), store: counting, routes });
    expect(second).toMatchObject({ blocks: 7, newBlocks: 0, storedBytes: 0 });
    expect(puts).toBe(0);
  });

  test('has the fields that make equal trees equal manifests', async () => {
    const manifest = await manifestPath();
    const tree = Tree.from([
      ['dir/link', { kind: 'symlink', ...metadata, mode: 0o777, target: 'ünï' }],
      ['null', { kind: 'character', ...metadata, mode: 0o666, major: 1, minor: 3 }],
      ['big', { kind: 'block', ...metadata, major: 4095, minor: 1048575 }],
    ]);
    await packTree(tree, { manifest, store: new MemoryStore(), routes, tags: new Map([['a', 'b']]) });
    const read = await readManifest(manifest);
    const byName = Object.fromEntries(Array.from(read.inodes, (inode) => [inode.name, inode]));
    expect(byName['/']).toMatchObject({ ino: 1, parent: 0, size: 4096, mode: 0o040755 });
    expect(byName['dir']).toMatchObject({ size: 4096 });
    expect(byName['link']).toMatchObject({ size: 5, mode: 0o120777, target: 'ünï', ctime: metadata.mtime });
    expect(byName['null']).toMatchObject({ size: 0, mode: 0o020666, rdev: 0x103 });
    expect(byName['big']).toMatchObject({ rdev: 0xffffffff });
    expect([...read.tags]).toEqual([['a', 'b']]);
    expect(read.routes).toEqual(routes);
  });

  test('reports what it has done so far', async () => {
    const seen: number[] = [];
    const tree = Tree.from([...'abcdef'].map((name, i) => [name, file(noise(i, blockSize))]));
    const options = { manifest: await manifestPath(), store: new MemoryStore(), routes };
    await packTree(tree, { ...options, onProgress: ({ blocks }) => seen.push(blocks) });
    expect(seen).toEqual([2, 4, 6]);
  });
});

describe('when packing fails', () => {
  const tree = Tree.from(Array.from({ length: 40 }, (_, i) => [`${i}`, file(noise(i, 1000))]));

  test('in the store, the former manifest stays, the error is that of the store, and work stops', async () => {
    const manifest = await manifestPath();
    await packTree(Tree.empty, { manifest, store: new MemoryStore(), routes });
    const before = await readFile(manifest);
    let puts = 0;
    let running = 0;
    const store: Store = Object.assign(new MemoryStore(), {
      put: async () => {
        running++;
        await new Promise(setImmediate);
        running--;
        if (++puts === 5) throw new Failure('unavailable', 'the store is full');
      },
    });
    await expect(packTree(tree, { manifest, store, routes, concurrency: 3 })).rejects.toMatchObject({
      kind: 'unavailable',
      message: 'the store is full',
    });
    expect(running).toBe(0);
    expect(puts).toBeLessThan(10);
    expect(await readFile(manifest)).toEqual(before);
  });

  test.each([
    ['shorter', 5],
    ['longer', 20],
  ])('because a file became %s, it says so and writes no manifest', async (_, size) => {
    const manifest = await manifestPath();
    const changed: Content = { ...bytesContent(Buffer.alloc(size)), size: 10 };
    const packing = packTree(Tree.from([['dir/changed', file(changed)]]), {
      manifest,
      store: new MemoryStore(),
      routes,
    });
    await expect(packing).rejects.toMatchObject({
      kind: 'corrupt',
      message: expect.stringContaining('dir/changed'),
    });
    await expect(readFile(manifest)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('for a device that a manifest cannot hold, or a store that cannot be written, nothing is read', async () => {
    const device: Entry = { kind: 'block', ...metadata, major: 4096, minor: 0 };
    const options = { manifest: await manifestPath(), store: new MemoryStore(), routes };
    const bad = Tree.from([['b', device]]);
    await expect(packTree(bad, options)).rejects.toMatchObject({ kind: 'config' });
    const capabilities = { write: false, list: false, delete: false };
    const store = Object.assign(new MemoryStore(), { capabilities });
    await expect(packTree(tree, { ...options, store })).rejects.toMatchObject({ kind: 'denied' });
  });
});
