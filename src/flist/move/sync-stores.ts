import { Failure } from '../../base/errors.ts';
import type { BlockId, Store } from '../../store/store.ts';
import { getChecked } from '../../store/wrappers/failover.ts';
import { BlockIdSet } from '../block/block-id-set.ts';
import { type CopyCounts, copyBlocks, type NamedBlock } from './copy-blocks.ts';

export interface SyncOptions {
  readonly from: Store;
  readonly to: Store;
  /** Only find out what is missing. */
  readonly dryRun?: boolean;
  readonly concurrency?: number;
  /** Called after every missing block with the counts so far. */
  readonly onProgress?: (counts: Readonly<CopyCounts>, total: number) => void;
}

export interface SyncSummary {
  /** Blocks in the source. */
  readonly blocks: number;
  /** Blocks that the destination did not have. */
  readonly missingBlocks: number;
  readonly copiedBlocks: number;
  readonly copiedBytes: number;
}

/**
 * Copies the blocks of one store that another does not have, each checked against its id. Nothing is ever removed from
 * either: a block that the source does not have may be needed by a manifest that somebody else packed.
 * @throws Failure `denied` for a source that cannot list its blocks or a destination that cannot keep any, and those of `copyBlocks`.
 */
export async function syncStores({ from, to, dryRun, ...options }: SyncOptions): Promise<SyncSummary> {
  if (!from.capabilities.list)
    throw new Failure('denied', `${from.address} cannot list its blocks`, {
      hint: 'copy the blocks of manifests with rfs clone, which needs no list',
    });
  const { blocks, missing } = await missingBlocks(from, to);
  if (dryRun) return { blocks, missingBlocks: missing.size, copiedBlocks: 0, copiedBytes: 0 };
  const { copiedBlocks, copiedBytes } = await copyBlocks(named(missing), {
    read: ({ id }, check, signal) => getChecked(from, id, check, signal),
    from,
    to,
    isThere: to.capabilities.list ? async () => false : ({ id }, signal) => to.has(id, signal),
    concurrency: options.concurrency,
    onProgress: (counts) => options.onProgress?.(counts, missing.size),
  });
  return { blocks, missingBlocks: copiedBlocks, copiedBlocks, copiedBytes };
}

/** What the destination does not list; all blocks of the source where it cannot list. */
async function missingBlocks(from: Store, to: Store): Promise<{ blocks: number; missing: BlockIdSet }> {
  const held = await listed(to.capabilities.list ? to.list() : []);
  const missing = new BlockIdSet();
  let blocks = 0;
  for await (const id of from.list()) {
    blocks++;
    if (!held.has(id)) missing.add(id);
  }
  return { blocks, missing };
}

async function listed(ids: Iterable<BlockId> | AsyncIterable<BlockId>): Promise<BlockIdSet> {
  const all = new BlockIdSet();
  for await (const id of ids) all.add(id);
  return all;
}

function* named(ids: Iterable<BlockId>): Generator<NamedBlock> {
  for (const id of ids) yield { id };
}
