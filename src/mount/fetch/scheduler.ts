import { constants } from 'node:os';
import { Failure } from '../../base/errors.ts';
import { receivedFailure } from '../../base/sent-failure.ts';
import { type BlockRef, blockSize, decodeBlock, release } from '../../flist/block-codec.ts';
import { blockAt, blockRefSize, isZeroBlock, type ManifestColumns } from '../../flist/manifest-columns.ts';
import type { Errno } from '../../fuse/protocol.ts';
import type { LocalDirectory } from '../../store/local.ts';
import type { Counter, ThreadCounter } from '../statistics.ts';
import type { BlockKeeper } from './block-keeper.ts';
import { BlockMemory, BlockMemoryOwner, type SharedBlockMemory, type Slot } from './block-memory.ts';
import { BlockQueue } from './block-queue.ts';
import { type BlockRange, blockRanges, type FileBlock } from './block-ranges.ts';
import type { BlockOrder, OrderResult } from './block-thread.ts';
import type { BlockThreads, BlockThreadsOptions } from './block-threads.ts';
import { Prefetcher } from './prefetcher.ts';
import { Readahead } from './readahead.ts';
import type { StoredBlocks } from './stored-blocks.ts';
import { WaitingRead } from './waiting-read.ts';

/** Why a block is wanted, the most urgent first. */
const priorities = ['asked', 'ahead', 'prefetch'] as const;
type Priority = (typeof priorities)[number];

/**
 * Blocks that may be underway from stores through the main thread, for a block of that priority to be begun. A store behind a network is
 * asked for 16 at one time, so what a list names leaves some for who asks.
 */
const fetchesAtOnce: Readonly<Record<Priority, number>> = { asked: 64, ahead: 16, prefetch: 12 };

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

/** A part of a READ that waits for a block. */
interface Part {
  readonly read: WaitingRead;
  readonly piece: number;
  readonly place: number;
  /** Whether a thread answers it. */
  isHanded: boolean;
}

/** A block that is wanted, or in memory. */
interface Block extends FileBlock {
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

export interface SchedulerOptions {
  readonly columns: ManifestColumns;
  readonly memory: SharedBlockMemory;
  readonly stored: StoredBlocks;
  readonly keeper: BlockKeeper | undefined;
  /** Directory stores whose blocks threads read themselves. */
  readonly directories: readonly LocalDirectory[];
  /** Starts the threads when they are worth it; undefined when they never are. */
  readonly startThreads:
    | ((events: Pick<BlockThreadsOptions, 'onResults' | 'onReady'>) => BlockThreads)
    | undefined;
  /** Milliseconds that a READ waits. */
  readonly deadline: number;
  readonly counter: ThreadCounter;
  /** Hears which store gave a block of the file in a row. */
  readonly onGiven: (row: number, address: string) => void;
  readonly reply: (unique: bigint, answer: Errno | readonly Uint8Array[]) => void;
}

/**
 * Brings blocks, each once however many want it, for READs before readahead before what a list names. Runs on the main
 * thread; blocks are made plain by threads once there is enough to do.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #columns: ManifestColumns;
  readonly #memory: BlockMemory;
  readonly #owner: BlockMemoryOwner<Block>;
  readonly #readahead: Readahead;
  readonly #blocks = new Map<string, Block>();
  readonly #filling = new Map<Slot, Block>();
  readonly #queues: Readonly<Record<Priority, BlockQueue<Block>>> = {
    asked: new BlockQueue(),
    ahead: new BlockQueue(),
    prefetch: new BlockQueue(),
  };
  /** In the order in which they came, so in the order of their deadlines. */
  readonly #reads = new Map<bigint, WaitingRead>();
  readonly #zeros = Buffer.alloc(blockSize);
  #threads: BlockThreads | undefined;
  #fetching = 0;
  #begun = { blocks: 0, bytes: 0 };
  readonly #prefetcher: Prefetcher;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#columns = options.columns;
    this.#memory = new BlockMemory(options.memory, options.columns);
    this.#owner = new BlockMemoryOwner(options.memory, {
      // As long as a thread has not said that it filled a slot, what it will say must mean this block.
      isWanted: ({ parts }, slot) => this.#filling.has(slot) || parts.some(({ read }) => !read.isEnded),
      onEvict: (block, wasUsed) => this.#evicted(block, wasUsed),
    });
    this.#readahead = new Readahead(options.columns);
    this.#prefetcher = new Prefetcher(options.columns, {
      atOnce: fetchesAtOnce.prefetch,
      isKept: (block) => options.keeper?.has(block) === true,
      want: (block, onSettled) => this.#wantUnasked(block, 'prefetch', onSettled),
      begin: () => this.#pump(),
    });
  }

  /** Answers a READ of the file in a row as soon as its blocks are there, or with an error: EIO, ETIMEDOUT. */
  read(unique: bigint, row: number, offset: number, size: number): void {
    const ranges = blockRanges(this.#columns, row, offset, size);
    if (ranges === undefined) {
      this.#options.reply(unique, constants.errno.EIO);
      return;
    }
    const read = new WaitingRead(unique, ranges);
    this.#reads.set(unique, read);
    for (const [piece, range] of ranges.entries()) this.#want(read, piece, range);
    for (const { place } of ranges) this.#readAhead(row, place);
    this.#watchDeadlines();
    this.#pump();
  }

  /** A block that was fetched ahead and marked is read now. */
  touched(row: number, place: number): void {
    this.#readAhead(row, place);
    this.#pump();
  }

  /** Nobody waits for the answer to a READ any more. */
  interrupt(unique: bigint): void {
    const read = this.#reads.get(unique);
    if (read === undefined) return;
    this.#options.counter.add('readsInterrupted');
    this.#end(read, constants.errno.EINTR);
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
    return Array.from(this.#reads.values(), ({ ranges, size, since }) => {
      const { row, index, start } = ranges[0]!;
      return { row, offset: index * blockSize + start, size, milliseconds: now - since };
    });
  }

  /** Ends everything. No reply is sent after this. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#prefetcher.close();
    clearTimeout(this.#deadlineTimer);
    clearTimeout(this.#idleTimer);
    this.#options.stored.close();
    for (const { onSettled } of this.#blocks.values()) onSettled?.();
    await this.#threads?.close();
  }

  #want(read: WaitingRead, piece: number, range: BlockRange): void {
    if (isZeroBlock(this.#columns, range.row, range.index)) {
      this.#give(read, piece, this.#zeros);
      return;
    }
    const block = this.#blocks.get(this.#keyOf(range)) ?? this.#newBlock(range, 'asked');
    block.parts.push({ read, piece, place: range.place, isHanded: false });
    if (block.slot !== undefined && (block.state === 'ready' || this.#owner.await(block.slot))) {
      this.#giveParts(block, block.slot);
      return;
    }
    if (read.ranges.length > 1) block.mayBeKept = true;
    if (block.state === 'queued' && block.priority !== 'asked') {
      block.priority = 'asked';
      this.#queues.asked.push(block);
    }
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
    const known = this.#blocks.get(this.#keyOf(wanted));
    if (known !== undefined) {
      if (priority !== 'prefetch') return false;
      if (known.state === 'ready') this.#keep(wanted, this.#memory.bytes(known.slot!));
      else this.#prefetcher.later(wanted.place); // by whom it is fetched, it may not be kept
      return false;
    }
    const block = this.#newBlock(wanted, priority);
    block.mayBeKept = true;
    block.isMarked = isMarked;
    block.onSettled = onSettled;
    return true;
  }

  #newBlock({ row, index, place, size }: FileBlock, priority: Priority): Block {
    const key = this.#keyOf({ place, size });
    const block: Block = {
      row,
      index,
      place,
      size,
      key,
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
    this.#blocks.set(key, block);
    this.#queues[priority].push(block);
    this.#begun.blocks++;
    this.#begun.bytes += size;
    return block;
  }

  /** Equal blocks have equal keys, wherever they are; a manifest may give one block a wrong size somewhere. */
  #keyOf({ place, size }: Pick<FileBlock, 'place' | 'size'>): string {
    const { blockRefs } = this.#columns;
    const at = blockRefs.byteOffset + place * blockRefSize;
    return Buffer.from(blockRefs.buffer, at, blockRefSize).toString('latin1') + size;
  }

  /** Begins what can be begun. What is less urgent waits for all that is more urgent. */
  #pump(): void {
    if (this.#isClosed) return;
    this.#considerThreads();
    for (const priority of priorities) if (!this.#begin(priority)) break;
  }

  /** Returns whether everything of a priority is begun. */
  #begin(priority: Priority): boolean {
    const queue = this.#queues[priority];
    for (let block = queue.first(priority); block !== undefined; block = queue.first(priority)) {
      if (this.#goesToThread(block)) {
        if (!this.#threads!.hasRoom || !this.#sendBatch(queue, priority)) return false;
      } else {
        if (this.#fetching >= fetchesAtOnce[priority]) return false;
        queue.shift();
        void this.#fetch(block);
      }
    }
    return true;
  }

  #goesToThread(block: Block): boolean {
    if (this.#threads?.isReady !== true || block.wasNotInDirectory) return false;
    const first = this.#columns.blockRefs[block.place * blockRefSize]!;
    return this.#options.directories.some(({ start, end }) => start <= first && first <= end);
  }

  /** Returns false when there is no memory for the first of them now. */
  #sendBatch(queue: BlockQueue<Block>, priority: Priority): boolean {
    const share = Math.ceil(queue.length / this.#threads!.count);
    const most = Math.max(1, Math.min(share, blocksPerMessage[priority]));
    const orders: BlockOrder[] = [];
    let bytes = 0;
    for (
      let block = queue.first(priority);
      block !== undefined && orders.length < most && this.#goesToThread(block);
      block = queue.first(priority)
    ) {
      if (orders.length > 0 && bytes + block.size > bytesPerMessage) break;
      if (!this.#allocate(block)) {
        if (priority !== 'ahead') break;
        queue.shift();
        this.#forget(block); // there is no room for what nobody has asked for
        continue;
      }
      queue.shift();
      bytes += block.size;
      orders.push(this.#order(block, undefined));
    }
    if (orders.length > 0) this.#threads!.send(orders);
    return orders.length > 0 || queue.first(priority) === undefined;
  }

  #allocate(block: Block): boolean {
    if (this.#allocateFree(block)) return true;
    if (block.priority !== 'asked') return false;
    this.#letGo();
    return this.#allocateFree(block);
  }

  /** Copies what READs hold that wait for more, so that they do not keep each other from getting it. */
  #letGo(): void {
    for (const { state, parts } of this.#blocks.values())
      if (state === 'ready')
        for (const { read, piece } of parts.splice(0)) if (!read.isEnded) read.own(piece);
  }

  #allocateFree(block: Block): boolean {
    const { place, size, priority, isMarked } = block;
    block.slot ??= this.#owner.allocate(block, {
      place,
      size,
      isMarked,
      isAhead: priority === 'ahead',
      mayDisplace: priority === 'asked',
    });
    return block.slot !== undefined;
  }

  /** What a thread is to do for a block that has a slot: fill that, and answer the READs that need nothing else. */
  #order(block: Block, blob: Uint8Array | undefined): BlockOrder {
    const { row, index, place, size } = block;
    const slot = block.slot!;
    const keep = blob !== undefined || size >= smallToKeep || block.priority === 'prefetch';
    if (!keep && this.#options.keeper !== undefined) this.#prefetcher.later(place);
    block.state = 'underway';
    this.#filling.set(slot, block);
    const replies = [];
    for (const part of block.parts) {
      const { read, piece } = part;
      part.isHanded = read.ranges.length === 1 && !read.isEnded;
      const { start, end } = read.ranges[piece]!;
      if (part.isHanded) replies.push({ unique: read.unique, start, end });
    }
    if (replies.length < block.parts.length) this.#owner.await(slot);
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
    if (this.#isClosed) return;
    for (const result of results) {
      const block = this.#filling.get(result.slot);
      if (block === undefined) continue;
      this.#filling.delete(result.slot);
      if (this.#blocks.get(block.key) !== block) {
        if (result.from === 'nowhere') this.#owner.abandon(result.slot); // it was given up meanwhile
      } else if (result.from === 'nowhere') this.#notFilled(block, receivedFailure(result.failure));
      else {
        if (result.from === 'cache') this.#options.counter.add('blocksCached');
        else this.#countFetched(block);
        this.#filled(block);
        block.decoding?.resolve();
      }
    }
    this.#pump();
  }

  #notFilled(block: Block, failure: Failure): void {
    for (const part of block.parts) part.isHanded = false;
    if (block.decoding !== undefined) {
      block.decoding.reject(failure);
      return;
    }
    this.#owner.abandon(block.slot!);
    block.slot = undefined;
    block.wasNotInDirectory = true;
    block.state = 'queued';
    this.#queues[block.priority].push(block);
  }

  /** Gives a block that is in its slot to all who wait for it. */
  #filled(block: Block): void {
    block.state = 'ready';
    this.#giveParts(block, block.slot!);
    this.#settled(block);
  }

  /** What READs that still wait for other blocks were given stays where it is for them. */
  #giveParts(block: Block, slot: Slot): void {
    const plain = this.#memory.bytes(slot);
    for (const { read, piece, place, isHanded } of block.parts) {
      if (place !== block.place) this.#owner.alsoAt(place, slot);
      if (isHanded) this.#ended(read);
      else this.#give(read, piece, plain);
    }
    block.parts = block.parts.filter(({ read }) => !read.isEnded);
  }

  #settled(block: Block): void {
    this.#options.stored.isFine(blockAt(this.#columns, block.place).id);
    block.onSettled?.();
    block.onSettled = undefined;
  }

  /** Brings a block by the main thread: from the cache, or from the store with all its replicas. */
  async #fetch(block: Block): Promise<void> {
    block.state = 'underway';
    this.#fetching++;
    const ref = blockAt(this.#columns, block.place);
    try {
      if (!this.#giveKept(block))
        await this.#options.stored.fetch(ref.id, async (blob, address) => {
          await this.#makePlain(block, ref, blob);
          this.#options.onGiven(block.row, address);
        });
    } catch (error) {
      this.#failed(block, ref, error);
    } finally {
      this.#fetching--;
      this.#pump();
    }
  }

  /** Whether the cache has it, and whoever waits for it got it from there. */
  #giveKept(block: Block): boolean {
    const { keeper, counter } = this.#options;
    if (!block.mayBeKept || !keeper?.has(block)) return false;
    const plain = Buffer.allocUnsafeSlow(block.parts.length === 0 ? 0 : block.size);
    if (plain.length > 0 && !keeper.readInto(plain, block, 0)) return false;
    counter.add('blocksCached');
    this.#givePlain(block, plain);
    return true;
  }

  /** @throws Failure `corrupt` when the stored bytes are not the block. */
  async #makePlain(block: Block, ref: BlockRef, blob: Uint8Array): Promise<void> {
    if (this.#isClosed) return;
    if (this.#threads?.hasRoom && this.#allocate(block)) {
      block.decoding = Promise.withResolvers();
      this.#threads.send([this.#order(block, blob)]);
      return block.decoding.promise;
    }
    const started = performance.now();
    const plain = decodeBlock(blob, ref, block.size);
    this.#options.counter.took('decode', performance.now() - started);
    this.#options.counter.add('plainBytes', plain.length);
    this.#countFetched(block);
    if (this.#allocate(block)) {
      this.#memory.bytes(block.slot!).set(plain);
      this.#memory.publish(block.slot!);
      this.#filled(block);
      this.#memory.unpin(block.slot!);
    } else this.#givePlain(block, plain);
    this.#keep(block, plain);
    release(plain);
  }

  #keep(block: FileBlock, plain: Uint8Array): void {
    const { keeper, counter } = this.#options;
    if (keeper === undefined) return;
    keeper.put(block, plain);
    counter.add('keptBytes', plain.length);
  }

  /** Gives a block that has no slot to all who wait for it. */
  #givePlain(block: Block, plain: Uint8Array): void {
    for (const { read, piece } of block.parts.splice(0)) {
      this.#give(read, piece, plain);
      if (!read.isEnded) read.own(piece);
    }
    this.#settled(block);
    this.#forget(block);
  }

  #failed(block: Block, ref: BlockRef, error: unknown): void {
    if (this.#isClosed) return;
    const { stored, counter } = this.#options;
    counter.add('blocksFailed');
    // A slot that a thread is still filling comes free when it says so.
    if (block.slot !== undefined && this.#filling.get(block.slot) !== block) this.#owner.abandon(block.slot);
    block.slot = undefined;
    const waiting = block.parts.splice(0).filter(({ read }) => !read.isEnded);
    if (waiting.length > 0) stored.report(ref.id, error);
    for (const { read } of waiting) this.#end(read, errnoFor(error));
    this.#forget(block);
  }

  #forget(block: Block): void {
    if (this.#blocks.get(block.key) === block) this.#blocks.delete(block.key);
    block.onSettled?.();
  }

  #evicted(block: Block, wasUsed: boolean): void {
    this.#options.counter.add('memoryEvictions');
    if (block.priority === 'ahead') this.#options.counter.add(wasUsed ? 'aheadUsed' : 'aheadUnused');
    this.#forget(block);
  }

  #countFetched({ priority }: Block): void {
    const names = { asked: 'blocksAsked', ahead: 'blocksAhead', prefetch: 'blocksPrefetched' } as const;
    this.#options.counter.add(names[priority]);
  }

  #give(read: WaitingRead, piece: number, plain: Uint8Array): void {
    if (read.isEnded) return;
    const answer = read.give(piece, plain);
    if (answer === undefined) return;
    this.#options.reply(read.unique, answer);
    this.#ended(read);
  }

  /** Ends a READ with an error. */
  #end(read: WaitingRead, errno: Errno): void {
    if (read.isEnded) return;
    this.#options.reply(read.unique, errno);
    this.#ended(read, errno);
  }

  #ended(read: WaitingRead, errno?: Errno): void {
    if (read.isEnded) return;
    const { counter } = this.#options;
    read.isEnded = true;
    this.#reads.delete(read.unique);
    counter.add('readsWaited');
    counter.took('readWaited', performance.now() - read.since);
    const counted: Counter = errno === undefined ? 'bytesRead' : 'readsFailed';
    counter.add(counted, errno === undefined ? read.size : 1);
    if (errno === constants.errno.ETIMEDOUT) counter.add('readsLate');
  }

  #watchDeadlines(): void {
    if (this.#deadlineTimer !== undefined) return;
    const [oldest] = this.#reads.values();
    if (oldest === undefined) return;
    const wait = Math.max(1, oldest.since + this.#options.deadline - performance.now());
    this.#deadlineTimer = setTimeout(() => {
      this.#deadlineTimer = undefined;
      this.#endLateReads();
      this.#watchDeadlines();
    }, wait);
  }

  #endLateReads(): void {
    const { stored, deadline } = this.#options;
    for (const read of this.#reads.values()) {
      if (performance.now() - read.since < deadline) break;
      this.#end(read, constants.errno.ETIMEDOUT);
      for (const range of read.ranges) {
        const block = this.#blocks.get(this.#keyOf(range));
        if (block !== undefined && block.state !== 'ready')
          stored.report(blockAt(this.#columns, range.place).id, stored.late());
      }
    }
  }

  #considerThreads(): void {
    this.#idleTimer?.refresh();
    this.#prefetcher.postpone();
    if (this.#threads !== undefined || this.#options.startThreads === undefined) return;
    const { blocks, bytes } = this.#begun;
    if (blocks < blocksWorthThreads && bytes < bytesWorthThreads) return;
    this.#threads = this.#options.startThreads({
      onResults: (results) => this.#onResults(results),
      onReady: () => this.#pump(),
    });
    this.#idleTimer = setTimeout(() => this.#endThreads(), idleTime);
    this.#idleTimer.unref();
  }

  /** Threads that have nothing to do only take memory. */
  #endThreads(): void {
    if (this.#filling.size > 0) return void this.#idleTimer?.refresh();
    void this.#threads?.close();
    this.#threads = undefined;
    this.#idleTimer = undefined;
    this.#begun = { blocks: 0, bytes: 0 };
  }
}

/** What the reader of a file gets to see: ETIMEDOUT when the store does not answer, EIO for damage. */
function errnoFor(error: unknown): Errno {
  const isSilent = error instanceof Failure && (error.kind === 'timeout' || error.kind === 'unavailable');
  return isSilent ? constants.errno.ETIMEDOUT : constants.errno.EIO;
}
