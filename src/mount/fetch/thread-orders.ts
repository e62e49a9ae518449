import type { Failure } from '../../base/errors.ts';
import { receivedFailure } from '../../base/sent-failure.ts';
import { blockRefSize, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { LocalDirectory } from '../../store/local.ts';
import type { BlockDelivery } from './block-delivery.ts';
import type { BlockRoom } from './block-room.ts';
import type { BlockOrder, OrderResult } from './block-thread.ts';
import type { BlockThreads, BlockThreadsOptions } from './block-threads.ts';
import type { Priority, WantedBlock, WantedBlocks } from './wanted-blocks.ts';

/** What one message to a thread holds at most: a thread that is busy with it does not hear of more urgent things. */
const blocksPerMessage: Readonly<Record<Priority, number>> = { asked: 8, ahead: 16, prefetch: 16 };
const bytesPerMessage = 512 << 10;

/** Work that is worth the start of threads: 30 milliseconds of processor time each. */
const blocksWorthThreads = 32;
const bytesWorthThreads = 4 << 20;

/**
 * Smaller blocks of a directory on this machine are not kept while there is more to do: a file in the cache costs more than
 * reading the block again. They are when nothing else is to be done.
 */
const smallToKeep = 128 << 10;

/** Milliseconds without work after which the threads end. */
const idleTime = 30_000;

/** Starts the threads of a mount. */
export type StartThreads = (events: Pick<BlockThreadsOptions, 'onResults' | 'onReady'>) => BlockThreads;

export interface ThreadOrdersOptions {
  readonly columns: ManifestColumns;
  readonly directories: readonly LocalDirectory[];
  readonly startThreads: StartThreads | undefined;
  readonly wanted: WantedBlocks;
  readonly room: BlockRoom;
  readonly delivery: BlockDelivery;
  /** Hears the place of a block that was not kept; undefined when none is. */
  readonly keepLater: ((place: number) => void) | undefined;
  /** More may be begun now. */
  readonly onRoom: () => void;
  readonly closing: AbortSignal;
}

/** Lets threads make blocks plain once there is enough to do for them, and hears what became of it. */
export class ThreadOrders {
  readonly #options: ThreadOrdersOptions;
  #threads: BlockThreads | undefined;
  #expected = { blocks: 0, bytes: 0 };
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: ThreadOrdersOptions) {
    this.#options = options;
  }

  /** A block of that size is to be made plain. */
  expect(size: number): void {
    this.#expected.blocks++;
    this.#expected.bytes += size;
  }

  /** There is something to do: starts the threads when that is worth it. */
  begin(): void {
    this.#idleTimer?.refresh();
    const { startThreads, onRoom } = this.#options;
    if (this.#threads !== undefined || startThreads === undefined) return;
    const { blocks, bytes } = this.#expected;
    if (blocks < blocksWorthThreads && bytes < bytesWorthThreads) return;
    this.#threads = startThreads({ onResults: (results) => this.#onResults(results), onReady: onRoom });
    this.#idleTimer = setTimeout(() => this.#endThreads(), idleTime);
    this.#idleTimer.unref();
  }

  /** Whether a thread reads the block itself. */
  takes(block: WantedBlock): boolean {
    if (this.#threads?.isReady !== true || block.wasNotInDirectory) return false;
    const first = this.#options.columns.blockRefs[block.place * blockRefSize]!;
    return this.#options.directories.some(({ start, end }) => start <= first && first <= end);
  }

  get hasRoom(): boolean {
    return this.#threads?.hasRoom === true;
  }

  /**
   * Sends the first blocks of a priority that threads take; `hasRoom` must hold.
   * @returns false when there is no memory for the first of them now
   */
  sendBatch(priority: Priority): boolean {
    const { wanted, room } = this.#options;
    const queue = wanted.queues[priority];
    const share = Math.ceil(queue.length / this.#threads!.count);
    const most = Math.max(1, Math.min(share, blocksPerMessage[priority]));
    const orders: BlockOrder[] = [];
    let bytes = 0;
    for (
      let block = queue.first(priority);
      block !== undefined && orders.length < most && this.takes(block);
      block = queue.first(priority)
    ) {
      if (orders.length > 0 && bytes + block.size > bytesPerMessage) break;
      if (!room.allocate(block)) {
        if (priority !== 'ahead') break;
        queue.shift();
        wanted.forget(block); // there is no room for what nobody has asked for
        continue;
      }
      queue.shift();
      bytes += block.size;
      orders.push(this.#order(block, undefined));
    }
    if (orders.length > 0) this.#threads!.send(orders);
    return orders.length > 0 || queue.first(priority) === undefined;
  }

  /**
   * Lets a thread decode the stored bytes of a block that has a slot; `hasRoom` must hold.
   * @returns when it is given to all who wait for it
   * @throws Failure `corrupt` when the stored bytes are not the block
   */
  decode(block: WantedBlock, blob: Uint8Array): Promise<void> {
    block.decoding = Promise.withResolvers();
    this.#threads!.send([this.#order(block, blob)]);
    return block.decoding.promise;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#threads?.close();
  }

  /** What a thread is to do for a block that has a slot: fill that, and answer the READs that need nothing else. */
  #order(block: WantedBlock, blob: Uint8Array | undefined): BlockOrder {
    const { room, keepLater } = this.#options;
    const { row, index, place, size } = block;
    const slot = block.slot!;
    const keep = blob !== undefined || size >= smallToKeep || block.priority === 'prefetch';
    if (!keep) keepLater?.(place);
    block.state = 'underway';
    room.beginFilling(block);
    const replies = [];
    for (const part of block.parts) {
      const { read, piece } = part;
      part.isHanded = read.ranges.length === 1 && !read.isEnded;
      const { start, end } = read.ranges[piece]!;
      if (part.isHanded) replies.push({ unique: read.unique, start, end });
    }
    if (replies.length < block.parts.length) room.owner.await(slot);
    return {
      block: { row, index, place, size },
      slot,
      blob,
      mayBeKept: block.mayBeKept && blob === undefined,
      keep,
      replies,
    };
  }

  #onResults(results: readonly OrderResult[]): void {
    const { wanted, room, delivery, closing, onRoom } = this.#options;
    if (closing.aborted) return;
    for (const result of results) {
      const block = room.endFilling(result.slot);
      if (block === undefined) continue;
      if (!wanted.has(block)) {
        if (result.from === 'nowhere') room.owner.abandon(result.slot); // it was given up meanwhile
      } else if (result.from === 'nowhere') this.#notFilled(block, receivedFailure(result.failure));
      else {
        delivery.filled(block, result.from);
        block.decoding?.resolve();
      }
    }
    onRoom();
  }

  #notFilled(block: WantedBlock, failure: Failure): void {
    const { wanted, room } = this.#options;
    for (const part of block.parts) part.isHanded = false;
    if (block.decoding !== undefined) {
      block.decoding.reject(failure);
      return;
    }
    room.giveUp(block);
    block.wasNotInDirectory = true;
    wanted.again(block);
  }

  /** Threads that have nothing to do only take memory. */
  #endThreads(): void {
    if (this.#options.room.isBusy) return void this.#idleTimer?.refresh();
    void this.#threads?.close();
    this.#threads = undefined;
    this.#idleTimer = undefined;
    this.#expected = { blocks: 0, bytes: 0 };
  }
}
