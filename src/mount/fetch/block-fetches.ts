import { decodeBlock, release } from '../../flist/block/block-codec.ts';
import { blockAt, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { ThreadCounter } from '../statistics.ts';
import type { BlockDelivery } from './block-delivery.ts';
import type { BlockKeeper } from './block-keeper.ts';
import type { FileBlock } from './block-ranges.ts';
import type { BlockRoom } from './block-room.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import type { ThreadOrders } from './thread-orders.ts';
import type { WantedBlock } from './wanted-blocks.ts';

export interface BlockFetchesOptions {
  readonly columns: ManifestColumns;
  readonly room: BlockRoom;
  readonly delivery: BlockDelivery;
  readonly orders: ThreadOrders;
  readonly stored: StoredBlocks;
  readonly keeper: BlockKeeper | undefined;
  readonly counter: ThreadCounter;
  /** Hears which store gave a block of the file in a row. */
  readonly onGiven: (row: number, address: string) => void;
  /** More may be begun now. */
  readonly onRoom: () => void;
  readonly closing: AbortSignal;
}

/** Brings blocks by the main thread: from the cache, or from the store with all its replicas. */
export class BlockFetches {
  readonly #options: BlockFetchesOptions;
  #asked = 0;

  constructor(options: BlockFetchesOptions) {
    this.#options = options;
  }

  /** How many are being asked of the store. */
  get asked(): number {
    return this.#asked;
  }

  async fetch(block: WantedBlock): Promise<void> {
    const { delivery, onRoom, closing } = this.#options;
    block.state = 'underway';
    this.#asked++;
    try {
      if (!this.#giveKept(block)) await this.#fetchStored(block);
    } catch (error) {
      if (!closing.aborted) delivery.failed(block, error);
    } finally {
      this.#asked--;
      onRoom();
    }
  }

  /** @throws Failure see `StoredBlocks.fetch` */
  async #fetchStored(block: WantedBlock): Promise<void> {
    const { columns, stored, onGiven, onRoom } = this.#options;
    await stored.fetch(blockAt(columns, block.place).id, async (blob, address) => {
      this.#asked--; // the store has time for another one while this one is made plain
      onRoom();
      try {
        await this.#makePlain(block, blob);
        onGiven(block.row, address);
      } finally {
        this.#asked++;
      }
    });
  }

  /** Puts a block into the cache, where there is one. */
  keep(block: FileBlock, plain: Uint8Array): void {
    const { keeper, counter } = this.#options;
    if (keeper === undefined) return;
    keeper.put(block, plain);
    counter.add('keptBytes', plain.length);
  }

  /** Whether the cache has it, and whoever waits for it got it from there. */
  #giveKept(block: WantedBlock): boolean {
    const { keeper, delivery } = this.#options;
    if (!block.mayBeKept || !keeper?.has(block)) return false;
    const plain = Buffer.allocUnsafeSlow(block.parts.length === 0 ? 0 : block.size);
    if (plain.length > 0 && !keeper.readInto(plain, block, 0)) return false;
    delivery.plain(block, plain, 'cache');
    return true;
  }

  /** @throws Failure `corrupt` when the stored bytes are not the block. */
  async #makePlain(block: WantedBlock, blob: Uint8Array): Promise<void> {
    const { columns, room, delivery, orders, counter, closing } = this.#options;
    if (closing.aborted) return;
    if (orders.hasRoom && room.allocate(block)) return orders.decode(block, blob);
    const started = performance.now();
    const plain = decodeBlock(blob, blockAt(columns, block.place), block.size);
    counter.took('decode', performance.now() - started);
    counter.add('plainBytes', plain.length);
    if (room.allocate(block)) {
      const { memory } = room;
      const slot = block.slot!;
      memory.bytes(slot).set(plain);
      memory.publish(slot);
      delivery.filled(block, 'store');
      memory.unpin(slot);
    } else delivery.plain(block, plain, 'store');
    this.keep(block, plain);
    release(plain);
  }
}
