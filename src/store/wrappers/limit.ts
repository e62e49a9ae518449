import { type Clock, systemClock } from '../../base/clock.ts';
import { Semaphore } from '../../base/semaphore.ts';
import type { Store } from '../store.ts';
import { type Ask, bytesMoved, type Call, Wrapper } from './wrapper.ts';

export interface LimitOptions {
  /** Questions to the store at one time. */
  readonly concurrency?: number;
  /** Bytes of blocks per second, both directions together, on average. */
  readonly bandwidth?: number;
  readonly clock?: Clock;
}

/**
 * Bounds how much is asked of a store at one time, and how many bytes of blocks it moves per second. Listing is bounded by
 * neither: who lists may ask about each block as it comes, and would wait for itself.
 */
export class LimitedStore extends Wrapper {
  readonly #semaphore: Semaphore;
  readonly #bucket: TokenBucket | undefined;
  /** What a block may weigh before it is here: as much as the last one. */
  #typicalSize = 256 * 1024;

  constructor(inner: Store, options: LimitOptions) {
    super(inner);
    const { concurrency = Number.POSITIVE_INFINITY, bandwidth, clock = systemClock } = options;
    this.#semaphore = new Semaphore(concurrency);
    this.#bucket = bandwidth === undefined ? undefined : new TokenBucket(bandwidth, clock);
  }

  protected override around<T>(call: Call, ask: Ask<T>): Promise<T> {
    return this.#semaphore.run(() => this.#paced(call, ask), call.signal);
  }

  async #paced<T>(call: Call, ask: Ask<T>): Promise<T> {
    const bucket = this.#bucket;
    if (bucket === undefined || call.operation === 'has' || call.operation === 'delete')
      return ask(call.signal);
    const expected = call.blob?.length ?? this.#typicalSize;
    await bucket.take(expected, call.signal);
    let moved = 0;
    try {
      const result = await ask(call.signal);
      moved = bytesMoved(call, result);
      if (call.operation === 'get') this.#typicalSize = moved;
      return result;
    } finally {
      bucket.giveBack(expected - moved);
    }
  }
}

/** Bytes that may be moved, refilled at a steady rate and never more than a second's worth ahead. */
class TokenBucket {
  readonly #rate: number;
  readonly #clock: Clock;
  /** The moment until which all that was taken is paid for by the rate. */
  #paidUntil: number;

  constructor(bytesPerSecond: number, clock: Clock) {
    this.#rate = bytesPerSecond / 1000;
    this.#clock = clock;
    this.#paidUntil = clock.now();
  }

  /** Takes bytes and waits until those taken before are paid for. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now();
    const start = Math.max(this.#paidUntil, now);
    this.#paidUntil = start + bytes / this.#rate;
    try {
      if (start > now) await this.#clock.sleep(start - now, signal);
    } catch (error) {
      this.giveBack(bytes);
      throw error;
    }
  }

  /** Returns bytes that were taken and not moved; fewer than none when more were moved. */
  giveBack(bytes: number): void {
    this.#paidUntil -= bytes / this.#rate;
  }
}
