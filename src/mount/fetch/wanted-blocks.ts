import { blockRefSize, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { Slot } from './block-memory.ts';
import { BlockQueue } from './block-queue.ts';
import type { FileBlock } from './block-ranges.ts';
import type { WaitingRead } from './waiting-read.ts';

/** Why a block is wanted, the most urgent first. */
export const priorities = ['asked', 'ahead', 'prefetch'] as const;
export type Priority = (typeof priorities)[number];

/** A part of a READ that waits for a block. */
export interface Part {
  readonly read: WaitingRead;
  readonly piece: number;
  readonly place: number;
  /** Whether a thread answers it. */
  isHanded: boolean;
}

/** A block that is wanted, or in memory. */
export interface WantedBlock extends FileBlock {
  readonly key: string;
  priority: Priority;
  state: 'queued' | 'underway' | 'ready';
  isMarked: boolean;
  /** Whether the cache may have it; a READ for it alone has looked already. */
  mayBeKept: boolean;
  /** Whether a thread has looked for it in vain, so that all replicas are to be asked. */
  wasNotInDirectory: boolean;
  slot: Slot | undefined;
  parts: Part[];
  /** Settles what decodes it in a thread. */
  decoding: PromiseWithResolvers<void> | undefined;
  onSettled: (() => void) | undefined;
}

/** The blocks of one mount that are wanted or in memory: each once, and queued by its priority until it is begun. */
export class WantedBlocks {
  readonly queues: Readonly<Record<Priority, BlockQueue<WantedBlock>>> = {
    asked: new BlockQueue(),
    ahead: new BlockQueue(),
    prefetch: new BlockQueue(),
  };
  readonly #columns: ManifestColumns;
  readonly #blocks = new Map<string, WantedBlock>();

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
  }

  /** The block, or one that equals it. */
  find(block: FileBlock): WantedBlock | undefined {
    return this.#blocks.get(this.#keyOf(block));
  }

  all(): Iterable<WantedBlock> {
    return this.#blocks.values();
  }

  /** Queues a block that `find` does not know. */
  add({ row, index, place, size }: FileBlock, priority: Priority): WantedBlock {
    const block: WantedBlock = {
      row,
      index,
      place,
      size,
      key: this.#keyOf({ place, size }),
      priority,
      state: 'queued',
      isMarked: false,
      mayBeKept: false,
      wasNotInDirectory: false,
      slot: undefined,
      parts: [],
      decoding: undefined,
      onSettled: undefined,
    };
    this.#blocks.set(block.key, block);
    this.queues[priority].push(block);
    return block;
  }

  /** A READ wants it now. */
  raise(block: WantedBlock): void {
    if (block.state !== 'queued' || block.priority === 'asked') return;
    block.priority = 'asked';
    this.queues.asked.push(block);
  }

  /** Queues it once more. */
  again(block: WantedBlock): void {
    block.state = 'queued';
    this.queues[block.priority].push(block);
  }

  has(block: WantedBlock): boolean {
    return this.#blocks.get(block.key) === block;
  }

  forget(block: WantedBlock): void {
    if (this.has(block)) this.#blocks.delete(block.key);
    block.onSettled?.();
  }

  /** Equal blocks have equal keys, wherever they are; a manifest may give one block a wrong size somewhere. */
  #keyOf({ place, size }: Pick<FileBlock, 'place' | 'size'>): string {
    const { blockRefs } = this.#columns;
    const at = blockRefs.byteOffset + place * blockRefSize;
    return Buffer.from(blockRefs.buffer, at, blockRefSize).toString('latin1') + size;
  }
}
