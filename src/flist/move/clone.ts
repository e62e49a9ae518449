import type { Store } from '../../store/store.ts';
import { claimBlock } from '../../store/upkeep.ts';
import { type Check, getChecked } from '../../store/wrappers/failover.ts';
import { type BlockRef, encodeBlock } from '../block/block-codec.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { blockAt } from '../manifest/manifest-columns.ts';
import { EqualBlocks, placedBlocks } from '../placed-blocks.ts';
import { type CopyCounts, copyBlocks } from './copy-blocks.ts';

/** A block with the size of its plain bytes, and its place among all of the manifest. */
export interface SizedBlock extends BlockRef {
  readonly size: number;
  readonly place: number;
}

export interface CloneOptions {
  /** Where the manifest's blocks are. */
  readonly from: Store;
  readonly to: Store;
  /** The plain bytes of a block where they are at hand, as in a cache; such a block is made anew and not fetched. */
  readonly plainBytes?: ((block: SizedBlock) => Uint8Array | undefined) | undefined;
  readonly concurrency?: number;
  /** Called after every block with the counts so far. */
  readonly onProgress?: (counts: Readonly<CopyCounts>, total: number) => void;
}

export interface CloneSummary extends Readonly<CopyCounts> {
  /** Copied blocks that were made from plain bytes and not fetched. */
  readonly remadeBlocks: number;
}

/**
 * Copies the blocks of a manifest to another store: each once, as it is stored, checked against its id, and only where it is
 * missing. Those that are there are claimed, so that `rfs gc` spares them.
 * @throws Failure as `copyBlocks`.
 */
export async function cloneBlocks(manifest: Manifest, options: CloneOptions): Promise<CloneSummary> {
  const { from, to, plainBytes, concurrency, onProgress } = options;
  let remadeBlocks = 0;
  const read = async (block: SizedBlock, check: Check<Uint8Array>, signal: AbortSignal) => {
    const plain = plainBytes?.(block);
    const remade = plain && (await remake(block, plain));
    if (remade === undefined) return getChecked(from, block.id, check, signal);
    remadeBlocks++;
    return remade;
  };
  let total = 0;
  for (const _ of uniqueBlocks(manifest)) total++;
  const counts = await copyBlocks(uniqueBlocks(manifest), {
    read,
    ...(plainBytes === undefined && { from }),
    to,
    isThere: ({ id }, signal) => claimBlock(to, id, signal),
    concurrency,
    onProgress: (counts) => onProgress?.(counts, total),
  });
  return { ...counts, remadeBlocks };
}

/** Undefined where the manifest's packer compressed in another way than we do: there the plain bytes do not help. */
async function remake(block: BlockRef, plain: Uint8Array): Promise<Uint8Array | undefined> {
  const { ref, blob } = await encodeBlock(plain, block.key);
  return ref.id === block.id ? blob : undefined;
}

/** Every block of a manifest, each id once, in the order of the files. */
export function* uniqueBlocks({ columns }: Manifest): Generator<SizedBlock> {
  const equal = new EqualBlocks([columns], 'id');
  for (const block of placedBlocks(columns))
    if (equal.firstLike(block) === equal.numberOf(block))
      yield { ...blockAt(columns, block.place), size: block.size, place: block.place };
}
