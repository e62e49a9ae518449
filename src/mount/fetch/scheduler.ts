import { constants } from 'node:os';
import { blockSize } from '../../flist/block/block-codec.ts';
import { blockAt, isZeroBlock, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { BlockDelivery } from './block-delivery.ts';
import { BlockFetches, type BlockFetchesOptions } from './block-fetches.ts';
import type { SharedBlockMemory } from './block-memory.ts';
import { type BlockRange, blockRanges, type FileBlock } from './block-ranges.ts';
import { BlockRoom } from './block-room.ts';
import { Prefetcher } from './prefetcher.ts';
import { Readahead } from './readahead.ts';
import { type StartThreads, ThreadOrders } from './thread-orders.ts';
import type { WaitingRead } from './waiting-read.ts';
import { WaitingReads, type WaitingReadsOptions } from './waiting-reads.ts';
import { type Priority, priorities, type WantedBlock, WantedBlocks } from './wanted-blocks.ts';

/**
 * Blocks that may be asked of stores at one time, for one more of that priority to be asked for. A store behind a network is
 * asked for 16 at one time, so what a list names leaves some for who asks.
 */
const fetchesAtOnce: Readonly<Record<Priority, number>> = { asked: 64, ahead: 16, prefetch: 12 };

export interface SchedulerOptions
  extends Pick<WaitingReadsOptions, 'deadline' | 'reply'>,
    Pick<BlockFetchesOptions, 'columns' | 'stored' | 'keeper' | 'counter' | 'onGiven'> {
  readonly memory: SharedBlockMemory;
  /** Directory stores whose blocks threads read themselves. */
  readonly directories: readonly LocalDirectory[];
  /** Starts the threads when they are worth it; undefined when they never are. */
  readonly startThreads: StartThreads | undefined;
}

/**
 * Brings blocks, each once however many want it, for READs before readahead before what a list names. Runs on the main
 * thread; blocks are made plain by threads once there is enough to do.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #columns: ManifestColumns;
  readonly #closing = new AbortController();
  readonly #reads: WaitingReads;
  readonly #wanted: WantedBlocks;
  readonly #room: BlockRoom;
  readonly #delivery: BlockDelivery;
  readonly #orders: ThreadOrders;
  readonly #fetches: BlockFetches;
  readonly #readahead: Readahead;
  readonly #prefetcher: Prefetcher;
  readonly #zeros = Buffer.alloc(blockSize);

  constructor(options: SchedulerOptions) {
    const { columns, memory, keeper, counter } = options;
    this.#options = options;
    this.#columns = columns;
    this.#reads = new WaitingReads({ ...options, onLate: (read) => this.#late(read) });
    this.#wanted = new WantedBlocks(columns);
    this.#room = new BlockRoom(memory, columns, this.#wanted, counter);
    this.#prefetcher = new Prefetcher(columns, {
      atOnce: 2 * fetchesAtOnce.prefetch, // some of them are being made plain
      isKept: (block) => keeper?.has(block) === true,
      want: (block, onSettled) => this.#wantUnasked(block, 'prefetch', onSettled),
      begin: () => this.#pump(),
    });
    const parts = {
      ...options,
      wanted: this.#wanted,
      reads: this.#reads,
      room: this.#room,
      keepLater: keeper && ((place: number) => this.#prefetcher.later(place)),
      onRoom: () => this.#pump(),
      closing: this.#closing.signal,
    };
    this.#delivery = new BlockDelivery(parts);
    this.#orders = new ThreadOrders({ ...parts, delivery: this.#delivery });
    this.#fetches = new BlockFetches({ ...parts, delivery: this.#delivery, orders: this.#orders });
    this.#readahead = new Readahead(columns);
  }

  /** Answers a READ of the file in a row as soon as its blocks are there, or with an error: EIO, ETIMEDOUT. */
  read(unique: bigint, row: number, offset: number, size: number): void {
    const ranges = blockRanges(this.#columns, row, offset, size);
    if (ranges === undefined) {
      this.#options.reply(unique, constants.errno.EIO);
      return;
    }
    const read = this.#reads.add(unique, ranges);
    for (const [piece, range] of ranges.entries()) this.#want(read, piece, range);
    for (const { place } of ranges) this.#readAhead(row, place);
    this.#reads.watch();
    this.#pump();
  }

  /** A block that was fetched ahead and marked is read now. */
  touched(row: number, place: number): void {
    this.#readAhead(row, place);
    this.#pump();
  }

  /** Nobody waits for the answer to a READ any more. */
  interrupt(unique: bigint): void {
    this.#reads.interrupt(unique);
  }

  /**
   * Fetches blocks into the cache, in order, whenever nothing is more urgent.
   * @param list files by their rows, and blocks by their numbers in the file; what is there already is passed over
   * @param bytesPerSecond plain bytes
   * @returns when all are there, or could not be had
   */
  prefetch(
    list: Iterable<{ readonly row: number; readonly index: number }>,
    bytesPerSecond?: number,
  ): Promise<void> {
    return this.#prefetcher.fetch(list, bytesPerSecond);
  }

  /** READs that wait, the oldest first. Times are in milliseconds. */
  waiting(): { row: number; offset: number; size: number; milliseconds: number }[] {
    const now = performance.now();
    return this.#reads.list().map(({ ranges, size, since }) => {
      const { row, index, start } = ranges[0]!;
      return { row, offset: index * blockSize + start, size, milliseconds: now - since };
    });
  }

  /** Ends everything. No reply is sent after this. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#prefetcher.close();
    this.#reads.close();
    this.#options.stored.close();
    for (const { onSettled } of this.#wanted.all()) onSettled?.();
    await this.#orders.close();
  }

  #want(read: WaitingRead, piece: number, range: BlockRange): void {
    if (isZeroBlock(this.#columns, range.row, range.index)) {
      this.#reads.give(read, piece, this.#zeros);
      return;
    }
    const block = this.#wanted.find(range) ?? this.#newBlock(range, 'asked');
    block.parts.push({ read, piece, place: range.place, isHanded: false });
    if (block.slot !== undefined && (block.state === 'ready' || this.#room.owner.await(block.slot))) {
      this.#delivery.giveParts(block, block.slot);
      return;
    }
    if (read.ranges.length > 1) block.mayBeKept = true;
    this.#wanted.raise(block);
  }

  #readAhead(row: number, place: number): void {
    let isMarked = true;
    for (const block of this.#readahead.touch(row, place))
      if (this.#wantUnasked(block, 'ahead', undefined, isMarked)) isMarked = false;
  }

  /** Returns whether the block is fetched for this; when not, it is here, underway, or zeros. */
  #wantUnasked(
    wanted: FileBlock,
    priority: 'ahead' | 'prefetch',
    onSettled: (() => void) | undefined,
    isMarked = false,
  ): boolean {
    if (isZeroBlock(this.#columns, wanted.row, wanted.index)) return false;
    const known = this.#wanted.find(wanted);
    if (known !== undefined) {
      if (priority !== 'prefetch') return false;
      if (known.state === 'ready') this.#fetches.keep(wanted, this.#room.memory.bytes(known.slot!));
      else this.#prefetcher.later(wanted.place); // by whom it is fetched, it may not be kept
      return false;
    }
    const block = this.#newBlock(wanted, priority);
    block.mayBeKept = true;
    block.isMarked = isMarked;
    block.onSettled = onSettled;
    return true;
  }

  #newBlock(block: FileBlock, priority: Priority): WantedBlock {
    this.#orders.expect(block.size);
    return this.#wanted.add(block, priority);
  }

  /** Begins what can be begun. What is less urgent waits for all that is more urgent. */
  #pump(): void {
    if (this.#closing.signal.aborted) return;
    this.#orders.begin();
    this.#prefetcher.postpone();
    for (const priority of priorities) if (!this.#begin(priority)) break;
  }

  /** Returns whether everything of a priority is begun. */
  #begin(priority: Priority): boolean {
    const queue = this.#wanted.queues[priority];
    for (let block = queue.first(priority); block !== undefined; block = queue.first(priority)) {
      if (this.#orders.takes(block)) {
        if (!this.#orders.hasRoom || !this.#orders.sendBatch(priority)) return false;
      } else {
        if (this.#fetches.asked >= fetchesAtOnce[priority]) return false;
        queue.shift();
        void this.#fetches.fetch(block);
      }
    }
    return true;
  }

  #late({ ranges }: WaitingRead): void {
    const { stored } = this.#options;
    for (const range of ranges) {
      const block = this.#wanted.find(range);
      if (block !== undefined && block.state !== 'ready')
        stored.report(blockAt(this.#columns, range.place).id, stored.late());
    }
  }
}
