import { constants } from 'node:os';
import { Failure } from '../../base/errors.ts';
import { blockAt, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { Errno } from '../../fuse/protocol.ts';
import type { ThreadCounter } from '../statistics.ts';
import type { Slot } from './block-memory.ts';
import type { BlockRoom } from './block-room.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import type { WaitingReads } from './waiting-reads.ts';
import type { WantedBlock, WantedBlocks } from './wanted-blocks.ts';

/** Where a block came from. */
export type BlockSource = 'cache' | 'store';

const fetchedCounters = { asked: 'blocksAsked', ahead: 'blocksAhead', prefetch: 'blocksPrefetched' } as const;

export interface BlockDeliveryOptions {
  readonly columns: ManifestColumns;
  readonly wanted: WantedBlocks;
  readonly reads: WaitingReads;
  readonly room: BlockRoom;
  readonly stored: StoredBlocks;
  readonly counter: ThreadCounter;
}

/** Gives a block that has come, or the reason why it has not, to all READs that wait for it. */
export class BlockDelivery {
  readonly #options: BlockDeliveryOptions;

  constructor(options: BlockDeliveryOptions) {
    this.#options = options;
  }

  /** The block is in its slot. */
  filled(block: WantedBlock, from: BlockSource): void {
    this.#count(block, from);
    block.state = 'ready';
    this.giveParts(block, block.slot!);
    this.#settled(block);
  }

  /** Gives from a slot. What READs that still wait for other blocks were given stays where it is for them. */
  giveParts(block: WantedBlock, slot: Slot): void {
    const { reads, room } = this.#options;
    const plain = room.memory.bytes(slot);
    if (block.parts.length > 0) room.memory.use(slot);
    for (const { read, piece, place, isHanded } of block.parts) {
      if (place !== block.place) room.owner.alsoAt(place, slot);
      if (isHanded) reads.answered(read);
      else reads.give(read, piece, plain);
    }
    block.parts = block.parts.filter(({ read }) => !read.isEnded);
  }

  /** The block has come and there is no slot for it. */
  plain(block: WantedBlock, plain: Uint8Array, from: BlockSource): void {
    this.#count(block, from);
    for (const { read, piece } of block.parts.splice(0)) {
      this.#options.reads.give(read, piece, plain);
      if (!read.isEnded) read.own(piece);
    }
    this.#settled(block);
    this.#options.wanted.forget(block);
  }

  /** The block cannot be had. */
  failed(block: WantedBlock, error: unknown): void {
    const { columns, wanted, reads, room, stored, counter } = this.#options;
    counter.add('blocksFailed');
    room.giveUp(block);
    const waiting = block.parts.splice(0).filter(({ read }) => !read.isEnded);
    if (waiting.length > 0) stored.report(blockAt(columns, block.place).id, error);
    for (const { read } of waiting) reads.fail(read, errnoFor(error));
    wanted.forget(block);
  }

  #settled(block: WantedBlock): void {
    this.#options.stored.isFine(blockAt(this.#options.columns, block.place).id);
    block.onSettled?.();
    block.onSettled = undefined;
  }

  #count({ priority }: WantedBlock, from: BlockSource): void {
    this.#options.counter.add(from === 'cache' ? 'blocksCached' : fetchedCounters[priority]);
  }
}

/** What the reader of a file gets to see: ETIMEDOUT when the store does not answer, EIO for damage. */
function errnoFor(error: unknown): Errno {
  const isSilent = error instanceof Failure && (error.kind === 'timeout' || error.kind === 'unavailable');
  return isSilent ? constants.errno.ETIMEDOUT : constants.errno.EIO;
}
