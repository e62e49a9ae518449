import { mkdir, readdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadBlake2b } from '../../base/blake2b.ts';
import { DirStore } from '../../store/dir/dir.ts';
import { shardedPath } from '../../store/dir/dir-paths.ts';
import { MemoryStore } from '../../store/memory.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { bytesContent } from '../../tree/content.ts';
import { Tree } from '../../tree/tree.ts';
import { readManifest } from '../manifest/manifest.ts';
import { packTree } from '../pack.ts';
import { collectGarbage } from './collect-garbage.ts';
import { markBlocks } from './mark-blocks.ts';

const day = 24 * 3600 * 1000;
const longAgo = new Date('2020-01-01');
const blake2b = await loadBlake2b();

function treeOf(...contents: readonly string[]): Tree {
  const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  return Tree.from(
    contents.map((text) => [`file ${text}`, { kind: 'file', ...metadata, content: bytesContent(text) }]),
  );
}

interface Place {
  readonly root: string;
  readonly flists: string;
  readonly blocks: string;
  readonly store: DirStore;
}

async function place(): Promise<Place> {
  const root = await testDirectory();
  const blocks = join(root, 'blocks');
  await mkdir(join(root, 'flists'));
  return { root, flists: join(root, 'flists'), blocks, store: new DirStore(blocks) };
}

async function pack({ flists, store }: Place, name: string, ...contents: readonly string[]) {
  const manifest = join(flists, name);
  await packTree(treeOf(...contents), { manifest, store, routes: [] });
  return manifest;
}

/** Makes every block of a store old. */
async function age({ blocks }: Place) {
  for (const name of await readdir(blocks, { recursive: true }))
    await utimes(join(blocks, name), longAgo, longAgo);
}

async function idsIn(store: Store): Promise<BlockId[]> {
  const ids: BlockId[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids.sort();
}

async function idsOf(manifest: string): Promise<BlockId[]> {
  return [...(await readManifest(manifest)).blockRefs()].map(([, { id }]) => id).sort();
}

async function collect(at: Place, manifests: readonly string[] = [at.flists], { dryRun = false } = {}) {
  const { needed } = await markBlocks(manifests);
  return collectGarbage(at.store, { needed, olderThan: day, dryRun });
}

describe('collecting garbage', () => {
  test('removes old blocks that no manifest needs, and what interrupted puts left; a dry run says so and removes nothing', async () => {
    const at = await place();
    const kept = await pack(at, 'kept.fl', 'a', 'shared');
    const gone = await pack(at, 'gone.fl', 'b', 'c', 'shared');
    const keptIds = await idsOf(kept);
    const [garbage] = (await idsOf(gone)).filter((id) => !keptIds.includes(id));
    await rm(gone);
    await writeFile(join(dirname(shardedPath(at.blocks, garbage!)), `.${garbage}.1.ab.tmp`), 'half');
    await age(at);
    const expected = { blocks: 4, neededBlocks: 2, youngBlocks: 0, garbageBlocks: 2, leftoverFiles: 1 };
    const planned = await collect(at, undefined, { dryRun: true });
    expect(planned).toMatchObject({ ...expected, leftoverBytes: 4 });
    expect(planned.garbageBytes).toBeGreaterThan(2 * 16);
    expect(await idsIn(at.store)).toHaveLength(4);
    expect(await collect(at)).toEqual(planned);
    expect(await idsIn(at.store)).toEqual(await idsOf(kept));
    const files = await readdir(at.blocks, { recursive: true });
    expect(files.filter((name) => name.includes('.tmp'))).toEqual([]);
    expect(await collect(at)).toMatchObject({ blocks: 2, neededBlocks: 2, garbageBlocks: 0 });
  });

  test('spares what was packed a moment ago, though its manifest is not there yet', async () => {
    const at = await place();
    await pack(at, 'kept.fl', 'a');
    await age(at);
    await rm(await pack(at, 'unpublished.fl', 'b', 'c'));
    expect(await collect(at)).toMatchObject({ blocks: 3, youngBlocks: 2, garbageBlocks: 0 });
  });

  test('spares an old block that somebody packing at the same time has just found in the store', async () => {
    const at = await place();
    await pack(at, 'kept.fl', 'a');
    await rm(await pack(at, 'old.fl', 'b', 'c'));
    await age(at);
    const { needed } = await markBlocks([at.flists]);
    // The pack begins after the manifests were read, finds "b" there, and publishes only after the sweep.
    const packing: Store = Object.assign(new DirStore(at.blocks), { direct: undefined }); // so that it asks here
    const [claim, put] = [packing.claim!.bind(packing), packing.put.bind(packing)];
    const found = Promise.withResolvers<void>();
    const swept = Promise.withResolvers<void>();
    packing.claim = async (id) => {
      const isThere = await claim(id);
      if (isThere) found.resolve();
      return isThere;
    };
    packing.put = async (id, blob) => {
      await swept.promise;
      await put(id, blob);
    };
    const manifest = join(at.flists, 'new.fl');
    const packed = packTree(treeOf('b', 'new'), { manifest, store: packing, routes: [] });
    await found.promise;
    const outcome = await collectGarbage(at.store, { needed, olderThan: day, dryRun: false });
    expect(outcome).toMatchObject({ youngBlocks: 1, garbageBlocks: 1 });
    swept.resolve();
    await packed;
    for (const id of await idsOf(manifest)) expect(blake2b(await at.store.get(id))).toBe(id);
  });

  test('is refused for a store that knows no ages, unless every block may go', async () => {
    const at = await place();
    const store: Store = Object.assign(new MemoryStore(), { upkeep: undefined });
    await packTree(treeOf('a'), { manifest: join(at.flists, 'a.fl'), store, routes: [] });
    await packTree(treeOf('b'), { manifest: join(at.root, 'b.fl'), store, routes: [] });
    const { needed } = await markBlocks([at.flists]);
    const options = { needed, dryRun: false };
    await expect(collectGarbage(store, { ...options, olderThan: day })).rejects.toMatchObject({
      kind: 'denied',
      hint: expect.stringContaining('--older-than 0'),
    });
    expect(await idsIn(store)).toHaveLength(2);
    expect(await collectGarbage(store, { ...options, olderThan: 0 })).toMatchObject({ garbageBlocks: 1 });
    expect(await idsIn(store)).toEqual(await idsOf(join(at.flists, 'a.fl')));
  });

  test('is refused where the manifests are those of another store, and where blocks cannot be deleted', async () => {
    const [at, other] = [await place(), await place()];
    await pack(at, 'a.fl', 'a');
    await pack(other, 'b.fl', 'b');
    await age(at);
    await expect(collect(at, [other.flists])).rejects.toMatchObject({ kind: 'conflict' });
    expect(await idsIn(at.store)).toHaveLength(1);
    const capabilities = { write: true, list: true, delete: false };
    const store = Object.assign(new DirStore(at.blocks), { capabilities });
    await expect(collect({ ...at, store })).rejects.toMatchObject({ kind: 'denied' });
  });
});

describe('marking', () => {
  test('finds manifests however deep, also through links, each once', async () => {
    const at = await place();
    const a = await pack(at, 'a.fl', 'a');
    await mkdir(join(at.flists, 'deep/er'), { recursive: true });
    const b = await pack(at, 'deep/er/b.fl', 'b');
    const c = await pack({ ...at, flists: at.root }, 'c.fl', 'c');
    await symlink('../../../c.fl', join(at.flists, 'deep/er/link.fl'));
    await symlink('../..', join(at.flists, 'deep/up'));
    await writeFile(join(at.flists, '.half.fl'), 'being written');
    await writeFile(join(at.flists, 'notes.txt'), 'no manifest');
    const { manifests, needed } = await markBlocks([at.flists, a]);
    expect(manifests).toEqual([a, c, b].sort());
    expect([...needed].sort()).toEqual((await Promise.all([a, b, c].map(idsOf))).flat().sort());
  });

  test.each([
    ['a damaged manifest', (flists: string) => writeFile(join(flists, 'bad.fl'), 'SQLite format 3')],
    ['a link that leads nowhere', (flists: string) => symlink('absent.fl', join(flists, 'bad.fl'))],
  ])('fails at %s, because what it needs is not known', async (_, damage) => {
    const at = await place();
    await pack(at, 'a.fl', 'a');
    await damage(at.flists);
    await expect(markBlocks([at.flists])).rejects.toMatchObject({
      name: 'Failure',
      message: expect.stringContaining('bad.fl'),
    });
  });

  test('fails at a path that is not there, and at a directory without a manifest', async () => {
    const { root, flists } = await place();
    await expect(markBlocks([join(root, 'absent')])).rejects.toMatchObject({ kind: 'not-found' });
    await expect(markBlocks([flists])).rejects.toMatchObject({ kind: 'not-found' });
  });
});
