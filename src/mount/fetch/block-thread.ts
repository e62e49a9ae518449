/** A thread that makes blocks plain, answers the kernel with them and keeps them. `worker.ts` starts it. */
import { parentPort } from 'node:worker_threads';
import { soonCollectGarbage } from '../../base/garbage.ts';
import { type SentFailure, sentFailure } from '../../base/sent-failure.ts';
import type { SharedCache } from '../../cache/shared-cache.ts';
import { decodeBlock, initBlockCodec, release } from '../../flist/block/block-codec.ts';
import { blockAt, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { DirectorySupply } from '../../flist/unpack/block-supply.ts';
import { sendReply } from '../../fuse/device.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { covers } from '../../store/route.ts';
import { type SharedStatistics, Statistics, type ThreadCounter } from '../statistics.ts';
import { BlockKeeper } from './block-keeper.ts';
import { BlockMemory, type SharedBlockMemory, type Slot } from './block-memory.ts';
import type { FileBlock } from './block-ranges.ts';
import { FileStores, type SharedFileStores } from './file-stores.ts';

export const blockThreadRole = 'mount-blocks';

export interface BlockThreadData {
  readonly role: typeof blockThreadRole;
  /** The open `/dev/fuse`. */
  readonly device: number;
  readonly columns: ManifestColumns;
  readonly memory: SharedBlockMemory;
  /** Undefined when nothing is kept. */
  readonly cache: SharedCache | undefined;
  /** Directory stores that the thread reads itself, and the place of the first of them among the stores of the statistics. */
  readonly directories: readonly (LocalDirectory & { readonly store: number })[];
  readonly statistics: SharedStatistics;
  readonly stores: SharedFileStores;
  /** The row of the statistics that this thread counts in. */
  readonly row: number;
}

/** A READ that a block alone answers. */
export interface ReadyReply {
  readonly unique: bigint;
  readonly start: number;
  readonly end: number;
}

/** A block to fill a slot with. */
export interface BlockOrder {
  readonly block: FileBlock;
  readonly slot: Slot;
  /** The stored bytes; undefined when the thread is to find the block itself. */
  readonly blob: Uint8Array | undefined;
  /** Whether the cache may have it. */
  readonly mayBeKept: boolean;
  /** Whether to put it into the cache. */
  readonly keep: boolean;
  readonly replies: readonly ReadyReply[];
}

/** Orders, or undefined for the end. */
export type ToBlockThread = { readonly orders: readonly BlockOrder[] | undefined };

/** How an order ended: the block is in its slot, or why not. */
export type OrderResult =
  | { readonly slot: Slot; readonly from: 'cache' | 'store' }
  | { readonly slot: Slot; readonly from: 'nowhere'; readonly failure: SentFailure };

export type FromBlockThread =
  | { readonly type: 'ready' }
  /** Orders that are done; `isLast` when nothing is left of what the thread was sent with one message. */
  | { readonly type: 'results'; readonly results: readonly OrderResult[]; readonly isLast: boolean }
  | { readonly type: 'log'; readonly line: string };

export async function runBlockThread(data: BlockThreadData): Promise<void> {
  await initBlockCodec();
  const thread = new BlockThread(data);
  parentPort!.on('message', ({ orders }: ToBlockThread) => {
    if (orders === undefined) parentPort!.close();
    else thread.run(orders);
  });
  tell({ type: 'ready' });
}

class BlockThread {
  readonly #data: BlockThreadData;
  readonly #memory: BlockMemory;
  readonly #keeper: BlockKeeper | undefined;
  readonly #supply: DirectorySupply;
  readonly #counter: ThreadCounter;
  readonly #stores: FileStores;
  readonly #collectSoon = soonCollectGarbage();

  constructor(data: BlockThreadData) {
    this.#data = data;
    this.#memory = new BlockMemory(data.memory, data.columns);
    const log = (line: string) => tell({ type: 'log', line });
    this.#keeper = data.cache && new BlockKeeper(data.cache, data.columns, log);
    this.#supply = new DirectorySupply(data.directories);
    this.#counter = new Statistics(data.statistics).counter(data.row);
    this.#stores = new FileStores(data.stores);
  }

  run(orders: readonly BlockOrder[]): void {
    let results: OrderResult[] = [];
    for (const order of orders) {
      this.#collectSoon();
      const { result, isAwaited, keep } = this.#fill(order);
      results.push(result);
      if (isAwaited) {
        tell({ type: 'results', results, isLast: false });
        results = [];
      }
      keep?.();
    }
    tell({ type: 'results', results, isLast: true });
  }

  /** Fills a slot and answers who waits for it. What is left to do, when the main thread knows, is to keep the block. */
  #fill(order: BlockOrder): { result: OrderResult; isAwaited: boolean; keep?: () => void } {
    const { slot, replies } = order;
    let from: 'cache' | 'store';
    try {
      from = this.#bring(order);
    } catch (error) {
      const failure = sentFailure(error);
      return { result: { slot, from: 'nowhere', failure }, isAwaited: true };
    }
    const isAwaited = this.#memory.publish(slot);
    const plain = this.#memory.bytes(slot);
    for (const { unique, start, end } of replies)
      sendReply(this.#data.device, unique, [plain.subarray(start, end)]);
    const keep = () => {
      if (from === 'store' && order.keep) this.#keep(order.block, plain);
      this.#memory.unpin(slot);
    };
    return { result: { slot, from }, isAwaited, keep };
  }

  /** @throws Failure when neither the cache nor a directory has it. */
  #bring({ block, slot, blob, mayBeKept }: BlockOrder): 'cache' | 'store' {
    const target = this.#memory.bytes(slot);
    if (mayBeKept && this.#keeper?.readInto(target, block, 0)) return 'cache';
    const ref = blockAt(this.#data.columns, block.place);
    const started = performance.now();
    if (blob !== undefined) {
      const plain = decodeBlock(blob, ref, block.size);
      target.set(plain);
      release(plain);
      this.#counter.took('decode', performance.now() - started);
    } else {
      const store = this.#data.directories.find((directory) => covers(directory, ref.id))?.store ?? 0;
      try {
        target.set(this.#supply.plain(block.place, ref, block.size));
      } catch (error) {
        this.#counter.storeFailed(store);
        throw error;
      }
      this.#counter.storeGave(store, this.#supply.storedSize, performance.now() - started);
      this.#stores.gave(block.row, store);
    }
    this.#counter.add('plainBytes', block.size);
    return 'store';
  }

  #keep(block: FileBlock, plain: Uint8Array): void {
    if (this.#keeper === undefined) return;
    this.#keeper.put(block, plain);
    this.#counter.add('keptBytes', plain.length);
  }
}

function tell(message: FromBlockThread): void {
  parentPort!.postMessage(message);
}
