import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { ThreadCounter } from '../statistics.ts';
import { BlockMemory, BlockMemoryOwner, type SharedBlockMemory, type Slot } from './block-memory.ts';
import type { WantedBlock, WantedBlocks } from './wanted-blocks.ts';

/** Gives wanted blocks their slots in the memory of the mount, and knows which of them threads are filling. */
export class BlockRoom {
  readonly memory: BlockMemory;
  readonly owner: BlockMemoryOwner<WantedBlock>;
  readonly #wanted: WantedBlocks;
  readonly #counter: ThreadCounter;
  readonly #filling = new Map<Slot, WantedBlock>();

  constructor(
    shared: SharedBlockMemory,
    columns: ManifestColumns,
    wanted: WantedBlocks,
    counter: ThreadCounter,
  ) {
    this.#wanted = wanted;
    this.#counter = counter;
    this.memory = new BlockMemory(shared, columns);
    this.owner = new BlockMemoryOwner(shared, {
      // As long as a thread has not said that it filled a slot, what it will say must mean this block.
      isWanted: ({ parts }, slot) => this.#filling.has(slot) || parts.some(({ read }) => !read.isEnded),
      onEvict: (block, wasUsed) => this.#evicted(block, wasUsed),
    });
  }

  /** Whether threads are filling slots. */
  get isBusy(): boolean {
    return this.#filling.size > 0;
  }

  /** Gives a block a slot, unless it has one; false when there is none now. */
  allocate(block: WantedBlock): boolean {
    if (this.#allocateFree(block)) return true;
    if (block.priority !== 'asked') return false;
    this.#letGo();
    return this.#allocateFree(block);
  }

  /** A thread fills the slot of the block from now on. */
  beginFilling(block: WantedBlock): void {
    this.#filling.set(block.slot!, block);
  }

  /** The thread has filled a slot, or could not; the block that it was for. */
  endFilling(slot: Slot): WantedBlock | undefined {
    const block = this.#filling.get(slot);
    this.#filling.delete(slot);
    return block;
  }

  /** Takes the slot away from a block that does not come. One that a thread is still filling comes free when it says so. */
  giveUp(block: WantedBlock): void {
    if (block.slot !== undefined && this.#filling.get(block.slot) !== block) this.owner.abandon(block.slot);
    block.slot = undefined;
  }

  /** Copies what READs hold that wait for more, so that they do not keep each other from getting it. */
  #letGo(): void {
    for (const { state, parts } of this.#wanted.all())
      if (state === 'ready')
        for (const { read, piece } of parts.splice(0)) if (!read.isEnded) read.own(piece);
  }

  #allocateFree(block: WantedBlock): boolean {
    const { place, size, priority, isMarked } = block;
    block.slot ??= this.owner.allocate(block, {
      place,
      size,
      isMarked,
      isAhead: priority === 'ahead',
      mayDisplace: priority === 'asked',
    });
    return block.slot !== undefined;
  }

  #evicted(block: WantedBlock, wasUsed: boolean): void {
    this.#counter.add('memoryEvictions');
    if (block.priority === 'ahead') this.#counter.add(wasUsed ? 'aheadUsed' : 'aheadUnused');
    this.#wanted.forget(block);
  }
}
