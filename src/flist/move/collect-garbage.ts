import { Failure } from '../../base/errors.ts';
import { forEachParallel } from '../../base/parallel.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { BlockIdSet } from '../block/block-id-set.ts';

export interface GarbageCounts {
  /** Blocks in the store. */
  blocks: number;
  /** Those that a manifest needs. */
  neededBlocks: number;
  /** Those that no manifest needs, but that are too young to go: somebody may just be packing. */
  youngBlocks: number;
  /** Those that are, or in a dry run would be, removed. */
  garbageBlocks: number;
  /** Stored bytes of those; 0 where the store does not say. */
  garbageBytes: number;
  /** Files that interrupted puts left, removed likewise. */
  leftoverFiles: number;
  leftoverBytes: number;
}

export interface GarbageOptions {
  readonly needed: BlockIdSet;
  /** Blocks that were put or claimed less than so many milliseconds ago stay. With 0 the store need not know ages. */
  readonly olderThan: number;
  /** Remove nothing, only count. */
  readonly dryRun: boolean;
  readonly concurrency?: number;
  /** Called for every block that no manifest needs, with how many of how many were looked at. */
  readonly onProgress?: (done: number, total: number, counts: Readonly<GarbageCounts>) => void;
}

/**
 * Removes the blocks of a store that no manifest needs and that are old. The manifests must be all that are in use. It may run
 * while others pack: the blocks that they put or find there are young (`Store.claim`) until their manifests are published and
 * given to the next run.
 * @throws Failure `denied` for a store that cannot list or delete or knows no ages, `conflict` for a store that holds none of the
 * needed blocks.
 */
export async function collectGarbage(store: Store, options: GarbageOptions): Promise<GarbageCounts> {
  const { needed, olderThan, dryRun, concurrency = 16, onProgress = () => {} } = options;
  const before = Date.now() - olderThan;
  checkCapable(store, options);
  const { blocks, unneeded } = await blocksOf(store, needed);
  const counts: GarbageCounts = {
    blocks,
    neededBlocks: blocks - unneeded.size,
    youngBlocks: 0,
    garbageBlocks: 0,
    garbageBytes: 0,
    leftoverFiles: 0,
    leftoverBytes: 0,
  };
  if (needed.size > 0 && blocks > 0 && counts.neededBlocks === 0)
    throw new Failure('conflict', `${store.address} holds none of the blocks that the manifests need`, {
      hint: 'check that these are the manifests of this store; one that nobody needs can be removed as a whole',
    });
  let done = 0;
  await forEachParallel(unneeded, concurrency, async (id, signal) => {
    const bytes = await sweep(store, id, { before, dryRun }, signal);
    if (bytes === 'young') counts.youngBlocks++;
    else if (bytes !== 'gone') {
      counts.garbageBlocks++;
      counts.garbageBytes += bytes;
    }
    onProgress(++done, unneeded.size, counts);
  });
  const left = await store.upkeep?.tidy(before, { dryRun });
  return { ...counts, leftoverFiles: left?.files ?? 0, leftoverBytes: left?.bytes ?? 0 };
}

function checkCapable(store: Store, { olderThan, dryRun }: GarbageOptions): void {
  if (!store.capabilities.list || !(store.capabilities.delete || dryRun))
    throw new Failure('denied', `${store.address} cannot list and delete blocks`, {
      hint: 'run it on the store behind it, for example dir:///srv/blocks',
    });
  if (store.upkeep === undefined && olderThan > 0)
    throw new Failure('denied', `${store.address} does not know how old its blocks are`, {
      hint: 'make sure that nobody packs into it, and give --older-than 0',
    });
}

async function blocksOf(store: Store, needed: BlockIdSet): Promise<{ blocks: number; unneeded: BlockIdSet }> {
  const unneeded = new BlockIdSet();
  let blocks = 0;
  for await (const id of store.list()) {
    blocks++;
    if (!needed.has(id)) unneeded.add(id);
  }
  return { blocks, unneeded };
}

/** The stored bytes of a block that is removed, or would be, or else why it is not. */
async function sweep(
  store: Store,
  id: BlockId,
  { before, dryRun }: { readonly before: number; readonly dryRun: boolean },
  signal: AbortSignal,
): Promise<number | 'young' | 'gone'> {
  if (store.upkeep === undefined) {
    if (!dryRun) await store.delete(id, signal);
    return 0;
  }
  const found = await store.upkeep.stat(id, signal);
  if (found === undefined) return 'gone';
  if (found.modified >= before) return 'young';
  return dryRun || (await store.upkeep.sweep(id, before, signal)) ? found.size : 'young';
}
