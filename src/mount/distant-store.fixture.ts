import { setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../store/store.ts';
import { type Ask, type Call, Wrapper } from '../store/wrappers/wrapper.ts';

/** Counts round trips: all, and the longest chain of those of which each began when the one before had ended. */
export class TripCounter {
  trips = 0;
  longestChain = 0;
  #ended = 0;

  /** A trip begins; the function is to be called at its end. */
  begin(): () => void {
    const chain = this.#ended + 1;
    this.trips++;
    this.longestChain = Math.max(this.longestChain, chain);
    return () => {
      this.#ended = Math.max(this.#ended, chain);
    };
  }
}

/** A store that is some milliseconds away. */
export class DistantStore extends Wrapper {
  readonly counter = new TripCounter();
  readonly #latency: number;

  constructor(inner: Store, latency: number) {
    super(inner);
    this.#latency = latency;
  }

  protected override async around<T>({ signal }: Call, ask: Ask<T>): Promise<T> {
    const end = this.counter.begin();
    const [result] = await Promise.all([ask(signal), sleep(this.#latency)]);
    end();
    return result;
  }
}
