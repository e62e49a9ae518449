import { loadBlake2b } from '../../base/blake2b.ts';
import { Failure } from '../../base/errors.ts';
import { forEachParallel } from '../../base/parallel.ts';
import type { DirectBlocks } from '../../store/dir/direct-writer.ts';
import type { BlockId, Store } from '../../store/store.ts';
import type { Check } from '../../store/wrappers/failover.ts';
import { CopyThreads } from './copy-threads.ts';

export interface CopyCounts {
  /** Blocks that were looked at. */
  blocks: number;
  /** Blocks that the destination did not have. */
  copiedBlocks: number;
  /** Stored bytes of those. */
  copiedBytes: number;
}

/** What is to be copied; a caller may know more of it. */
export interface NamedBlock {
  readonly id: BlockId;
}

export interface CopyOptions<Block extends NamedBlock> {
  /** The stored bytes of a block, as `check` gives them back; a source of several replicas has it look at each. */
  readonly read: (block: Block, check: Check<Uint8Array>, signal: AbortSignal) => Promise<Uint8Array>;
  readonly to: Store;
  /** Whether the destination has the block already. */
  readonly isThere: (block: Block, signal: AbortSignal) => Promise<boolean>;
  /** Where the blocks are; when both are plain directories, threads copy by themselves what has not to be looked for elsewhere. */
  readonly from?: Store | undefined;
  /** Blocks underway at one time, each of at most 1 MiB of memory; 64 by default. */
  readonly concurrency?: number | undefined;
  /** Called after every block with the counts so far. */
  readonly onProgress?: ((counts: Readonly<CopyCounts>) => void) | undefined;
}

/** How many blocks that cannot be copied an error names. */
const mostNamed = 5;

/**
 * Copies blocks as they are stored, never decoded, each checked against its id on the way. What was copied stays when it fails, so
 * a second run goes on where the first ended. A block that its source lost or damaged does not keep the others
 * from being copied.
 * @param blocks each once.
 * @throws Failure `not-found` or `corrupt` at the end for blocks that could not be had, and at once for a store that fails.
 */
export async function copyBlocks<Block extends NamedBlock>(
  blocks: Iterable<Block> | AsyncIterable<Block>,
  options: CopyOptions<Block>,
): Promise<CopyCounts> {
  const { read, to, isThere, concurrency = 64, onProgress = () => {} } = options;
  if (!to.capabilities.write)
    throw new Failure('denied', `${to.address} cannot keep blocks`, {
      hint: 'copy to a store that can be written, for example dir:///srv/blocks',
    });
  const counts: CopyCounts = { blocks: 0, copiedBlocks: 0, copiedBytes: 0 };
  const lost: Failure[] = [];
  const blake2b = await loadBlake2b();
  const check = (block: Block) => (blob: Uint8Array) => {
    if (blake2b(blob) !== block.id) throw damaged(block);
    return blob;
  };
  /** The stored bytes of the block; undefined when it cannot be had. */
  const copyHere = async (block: Block, signal: AbortSignal): Promise<number | undefined> => {
    try {
      const blob = await read(block, check(block), signal);
      await to.put(block.id, blob, signal);
      return blob.length;
    } catch (error) {
      if (!isLoss(error)) throw error;
      lost.push(error);
      return undefined;
    }
  };
  const threads = new ThreadsWhenWorthIt(options);
  try {
    await forEachParallel(blocks, concurrency, async (block, signal) => {
      if (!(await isThere(block, signal))) {
        const copied = (await threads.copy(block.id)) ?? (await copyHere(block, signal));
        if (copied !== undefined) {
          counts.copiedBlocks++;
          counts.copiedBytes += copied;
        }
      }
      counts.blocks++;
      onProgress(counts);
    });
  } finally {
    await threads.close();
  }
  if (lost.length > 0) throw lossOf(lost, counts.blocks);
  return counts;
}

/** Blocks that are copied before threads are started: for so few they cost more than they save. */
const fewBlocks = 200;

/** Threads for many blocks between two directories on this machine. */
class ThreadsWhenWorthIt {
  readonly #from: DirectBlocks | undefined;
  readonly #to: DirectBlocks | undefined;
  #asked = 0;
  #threads: CopyThreads | undefined;

  constructor({ from, to }: { readonly from?: Store | undefined; readonly to: Store }) {
    this.#from = from?.direct;
    this.#to = to.direct;
  }

  /** The stored bytes of a block that was copied; undefined for one that is to be copied in another way. */
  async copy(id: BlockId): Promise<number | undefined> {
    if (this.#from === undefined || this.#to === undefined || ++this.#asked <= fewBlocks) return undefined;
    this.#threads ??= new CopyThreads(this.#from.root, this.#to.root);
    const copy = await this.#threads.copy(id);
    if (copy?.temporary !== undefined) await this.#to.adopt([{ id, temporary: copy.temporary }]);
    return copy?.bytes;
  }

  async close(): Promise<void> {
    await this.#threads?.close();
  }
}

function damaged({ id }: NamedBlock): Failure {
  return new Failure('corrupt', `block ${id} is damaged`, {
    cause: 'the stored bytes do not have the digest they are named by',
  });
}

/** Whether only this one block is bad, and not the store. */
function isLoss(error: unknown): error is Failure {
  return error instanceof Failure && (error.kind === 'not-found' || error.kind === 'corrupt');
}

function lossOf(lost: readonly Failure[], total: number): Failure {
  const kind = lost.some((failure) => failure.kind === 'corrupt') ? 'corrupt' : 'not-found';
  const named = lost.slice(0, mostNamed).map(({ message }) => message);
  const more = lost.length > mostNamed ? [`and ${lost.length - mostNamed} more`] : [];
  return new Failure(kind, `${lost.length} of ${total} blocks could not be copied`, {
    cause: [...named, ...more].join('; '),
    hint: 'the others were copied; name a store that has these too, and run the command again',
  });
}
