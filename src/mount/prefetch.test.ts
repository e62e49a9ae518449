import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readManifest } from '../flist/manifest/manifest.ts';
import { writePrefetch } from '../flist/trace/trace-prefetch.ts';
import { DirStore } from '../store/dir/dir.ts';
import type { BlockId } from '../store/store.ts';
import { Wrapper } from '../store/wrappers/wrapper.ts';
import { DistantStore } from './distant-store.fixture.ts';
import type { MountFlistOptions } from './mount-flist.ts';
import { makePlaces, mountForTest, type Places, packSource, requireFuse, sh } from './test-flist.ts';

beforeAll(requireFuse);

const fileCount = 64;
/** Files in an order in which none follows its neighbour. */
const order = Array.from({ length: fileCount }, (_, i) => (i * 27) % fileCount);

/** Small files, packed. */
async function packed(): Promise<Places> {
  const places = await makePlaces();
  await mkdir(join(places.source, 'dir'));
  for (let i = 0; i < fileCount; i++) await writeFile(join(places.source, `dir/${i}`), `content ${i}`);
  await packSource(places);
  return places;
}

/** Mounts with an empty cache, reads files one after the other, and says what it took. */
async function readAll(places: Places, options: Partial<MountFlistOptions>) {
  await rm(places.cache, { recursive: true, force: true });
  const store = new DistantStore(new DirStore(places.store), 20);
  const mounted = await mountForTest(places, { store, ...options });
  const out = await sh('cd $1/dir; shift; cat "$@"', places.mountpoint, ...order.map(String));
  expect(out).toBe(order.map((i) => `content ${i}`).join(''));
  await mounted.unmount();
  await mounted.done;
  return store.counter;
}

test('a recorded trace cuts the round trips in sequence to a quarter and less', async () => {
  const places = await packed();
  const trace = join(places.source, '../trace');
  const without = await readAll(places, { trace });
  await writePrefetch([trace], { manifest: places.manifest, output: places.manifest, keep: 'most' });
  const off = await readAll(places, { prefetch: 0 });
  const ahead = await readAll(places, {});
  for (const { trips } of [without, off, ahead]) expect(trips).toBe(fileCount);
  expect(off.longestChain).toBeGreaterThan(fileCount / 2);
  expect(ahead.longestChain).toBeLessThanOrEqual(without.longestChain / 4);
});

/** Keeps the questions for some blocks waiting until the mount ends. */
class StuckStore extends Wrapper {
  readonly asked = new Set<BlockId>();
  readonly #isStuck: (id: BlockId) => boolean;

  constructor(inner: DirStore, isStuck: (id: BlockId) => boolean) {
    super(inner);
    this.#isStuck = isStuck;
  }

  override get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    this.asked.add(id);
    if (!this.#isStuck(id)) return this.inner.get(id, signal);
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  }
}

test('who reads does not wait for what is fetched ahead', async () => {
  const places = await packed();
  const trace = join(places.source, '../trace');
  await readAll(places, { trace });
  const list = { manifest: places.manifest, output: places.manifest, keep: 'most' } as const;
  await writePrefetch([trace], list);
  await rm(places.cache, { recursive: true });
  const last = order.at(-1)!;
  const manifest = await readManifest(places.manifest);
  const wanted = manifest.blocksOf(manifest.find(`dir/${last}`)!.ino)[0]!.id;
  const store = new StuckStore(new DirStore(places.store), (id) => id !== wanted);
  const mounted = await mountForTest(places, { store });
  expect(await sh('cat $1/dir/$2', places.mountpoint, String(last))).toBe(`content ${last}`);
  expect(store.asked.size).toBeGreaterThan(1);
  expect(mounted.lines).toEqual([]);
});
