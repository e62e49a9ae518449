import { constants } from 'node:os';
import { blockSize } from '../../flist/block/block-codec.ts';
import { isZeroBlock, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { type Errno, largestRead } from '../../fuse/protocol.ts';
import { later } from '../../fuse/session.ts';
import type { ThreadCounter } from '../statistics.ts';
import type { BlockKeeper } from './block-keeper.ts';
import type { BlockMemory, Slot } from './block-memory.ts';
import { type BlockRange, blockRanges } from './block-ranges.ts';

export interface FileReaderOptions {
  readonly columns: ManifestColumns;
  readonly memory: BlockMemory;
  /** Undefined when nothing is kept. */
  readonly keeper: BlockKeeper | undefined;
  /** Sends an answer to the kernel. */
  readonly reply: (unique: bigint, pieces: readonly Uint8Array[]) => void;
  readonly counter: ThreadCounter;
  /** Takes over the reply to a READ whose blocks are not here. */
  readonly fetch: (unique: bigint, row: number, offset: number, size: number) => void;
  /** Nobody waits for a READ that was left to `fetch` any more. */
  readonly interrupt: (unique: bigint) => void;
  /** A marked block was read for the first time. */
  readonly touched: (row: number, place: number) => void;
}

/** Answers READs on the serving thread with what is here: blocks in memory, cached files, zeros. */
export class FileReader {
  readonly #options: FileReaderOptions;
  /** Holds what comes from cached files: each READ is answered before the next is received. */
  readonly #room = Buffer.allocUnsafeSlow(largestRead);
  readonly #zeros = Buffer.alloc(blockSize);
  /** The slots that the READ at hand has pinned. */
  readonly #pinned: Slot[] = [];

  constructor(options: FileReaderOptions) {
    this.#options = options;
  }

  /** Answers a READ, or leaves that to `fetch`. */
  read(row: number, offset: number, size: number, unique: bigint): Errno | typeof later {
    const { columns, counter, reply, fetch } = this.#options;
    const started = performance.now();
    const ranges = blockRanges(columns, row, offset, size);
    if (ranges === undefined) return constants.errno.EIO;
    try {
      const pieces = this.#pieces(ranges);
      if (pieces === undefined) {
        fetch(unique, row, offset, size);
        return later;
      }
      reply(unique, pieces);
      counter.add(this.#pinned.length > 0 ? 'readsFromMemory' : 'readsFromCache');
      for (const { start, end } of ranges) counter.add('bytesRead', end - start);
      counter.took('readAtOnce', performance.now() - started);
      return later;
    } finally {
      for (const slot of this.#pinned.splice(0)) this.#options.memory.unpin(slot);
    }
  }

  interrupt(unique: bigint): void {
    this.#options.interrupt(unique);
  }

  #pieces(ranges: readonly BlockRange[]): Uint8Array[] | undefined {
    const pieces: Uint8Array[] = [];
    let filled = 0;
    for (const range of ranges) {
      const { start, end } = range;
      const here = this.#zerosOf(range) ?? this.#inMemory(range);
      if (here !== undefined) {
        pieces.push(here.subarray(start, end));
        continue;
      }
      const target = this.#room.subarray(filled, filled + end - start);
      if (!this.#options.keeper?.readInto(target, range, start)) return undefined;
      filled += target.length;
      pieces.push(target);
    }
    return pieces;
  }

  #zerosOf({ row, index }: BlockRange): Buffer | undefined {
    return isZeroBlock(this.#options.columns, row, index) ? this.#zeros : undefined;
  }

  #inMemory({ row, place, size }: BlockRange): Buffer | undefined {
    const { memory, touched } = this.#options;
    const slot = memory.pin(place, size);
    if (slot === undefined) return undefined;
    this.#pinned.push(slot);
    if (memory.use(slot)) touched(row, place);
    return memory.bytes(slot);
  }
}
