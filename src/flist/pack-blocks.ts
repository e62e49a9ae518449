import { Failure } from '../base/errors.ts';
import type { Store } from '../store/store.ts';
import { claimBlock } from '../store/upkeep.ts';
import { blocksOf } from '../tree/content.ts';
import { type BlockRef, blockKey, blockSize, encodeBlock } from './block-codec.ts';
import type { PackFile } from './pack-inodes.ts';

export interface BlockCounts {
  /** Plain bytes of all files. */
  bytes: number;
  /** Blocks of all files; equal ones count each time. */
  blocks: number;
  /** Blocks that the store did not have. */
  newBlocks: number;
  /** Bytes that the store did not have. */
  storedBytes: number;
}

/** A plain block and its place. */
interface PlainBlock {
  readonly ino: number;
  readonly index: number;
  readonly plain: Uint8Array;
}

export interface PackBlocksOptions {
  readonly concurrency: number;
  readonly onProgress: (counts: Readonly<BlockCounts>) => void;
}

/**
 * Cuts files into blocks and puts those into the store that it does not have. One reader feeds `concurrency` workers, so files
 * are read in order and memory is bounded; equal blocks are worked on once. When a block fails, the rest is not begun.
 * @returns the blocks of each non-empty file by inode number.
 */
export async function packBlocks(
  files: readonly PackFile[],
  store: Store,
  { concurrency, onProgress }: PackBlocksOptions,
): Promise<{ blocks: Map<number, BlockRef[]>; counts: BlockCounts }> {
  const blocks = new Map<number, BlockRef[]>();
  const counts: BlockCounts = { bytes: 0, blocks: 0, newBlocks: 0, storedBytes: 0 };
  const known = new Map<string, Promise<BlockRef>>();

  const keep = async (plain: Uint8Array, key: string): Promise<BlockRef> => {
    const { ref, blob } = await encodeBlock(plain, key);
    if (await claimBlock(store, ref.id)) return ref;
    await store.put(ref.id, blob);
    counts.newBlocks++;
    counts.storedBytes += blob.length;
    return ref;
  };
  const keepOnce = (plain: Uint8Array): Promise<BlockRef> => {
    const key = blockKey(plain);
    const kept = known.get(key) ?? keep(plain, key);
    known.set(key, kept);
    return kept;
  };
  const reader = plainBlocks(files);
  const work = async () => {
    for await (const { ino, index, plain } of reader) {
      const refs = blocks.get(ino) ?? [];
      blocks.set(ino, refs);
      refs[index] = await keepOnce(plain);
      counts.blocks++;
      counts.bytes += plain.length;
      onProgress(counts);
    }
  };

  // Settled and not raced, so that nothing is on its way any more when this returns or throws.
  const results = await Promise.allSettled(Array.from({ length: concurrency }, work));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return { blocks, counts };
}

/** All blocks of all files in order. Several workers may take from it at the same time. */
async function* plainBlocks(files: readonly PackFile[]): AsyncGenerator<PlainBlock> {
  for (const { ino, path, content } of files) {
    let index = 0;
    let size = 0;
    for await (const plain of blocksOf(content, blockSize)) {
      size += plain.length;
      yield { ino, index: index++, plain };
    }
    if (size !== content.size)
      throw new Failure('corrupt', `${path} gave ${size} bytes, expected ${content.size}`, {
        hint: 'it changed while it was packed; run the command again',
      });
  }
}
