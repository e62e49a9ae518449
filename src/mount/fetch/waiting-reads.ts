import { constants } from 'node:os';
import type { Errno } from '../../fuse/protocol.ts';
import type { Counter, ThreadCounter } from '../statistics.ts';
import type { BlockRange } from './block-ranges.ts';
import { WaitingRead } from './waiting-read.ts';

export interface WaitingReadsOptions {
  /** Milliseconds that a READ waits. */
  readonly deadline: number;
  readonly counter: ThreadCounter;
  readonly reply: (unique: bigint, answer: Errno | readonly Uint8Array[]) => void;
  /** A READ was answered with ETIMEDOUT because its deadline has passed. */
  readonly onLate: (read: WaitingRead) => void;
}

/** The READs of one mount that wait: each is answered once, at its deadline at the latest, and counted then. */
export class WaitingReads {
  readonly #options: WaitingReadsOptions;
  /** In the order in which they came, so in the order of their deadlines. */
  readonly #reads = new Map<bigint, WaitingRead>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WaitingReadsOptions) {
    this.#options = options;
  }

  add(unique: bigint, ranges: readonly BlockRange[]): WaitingRead {
    const read = new WaitingRead(unique, ranges);
    this.#reads.set(unique, read);
    return read;
  }

  /** Gives a READ one of its ranges, and answers it when that was the last. See `WaitingRead.give`. */
  give(read: WaitingRead, piece: number, plain: Uint8Array): void {
    if (read.isEnded) return;
    const answer = read.give(piece, plain);
    if (answer === undefined) return;
    this.#options.reply(read.unique, answer);
    this.#ended(read, undefined);
  }

  /** Another thread has answered it. */
  answered(read: WaitingRead): void {
    this.#ended(read, undefined);
  }

  /** Answers a READ with an error. */
  fail(read: WaitingRead, errno: Errno): void {
    if (read.isEnded) return;
    this.#options.reply(read.unique, errno);
    this.#ended(read, errno);
  }

  /** Nobody waits for the answer any more. */
  interrupt(unique: bigint): void {
    const read = this.#reads.get(unique);
    if (read === undefined) return;
    this.#options.counter.add('readsInterrupted');
    this.fail(read, constants.errno.EINTR);
  }

  /** The oldest first. */
  list(): WaitingRead[] {
    return [...this.#reads.values()];
  }

  /** Sees to the deadlines of those that wait now. */
  watch(): void {
    if (this.#timer !== undefined) return;
    const [oldest] = this.#reads.values();
    if (oldest === undefined) return;
    const wait = Math.max(1, oldest.since + this.#options.deadline - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#failLate();
      this.watch();
    }, wait);
  }

  /** Those that wait get no answer. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #failLate(): void {
    const { deadline, onLate } = this.#options;
    for (const read of this.#reads.values()) {
      if (performance.now() - read.since < deadline) break;
      this.fail(read, constants.errno.ETIMEDOUT);
      onLate(read);
    }
  }

  #ended(read: WaitingRead, errno: Errno | undefined): void {
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
}
