import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** A clock that stands until a test moves it. */
export class TestClock implements Clock {
  /** The lengths of all sleeps so far, in milliseconds. */
  readonly sleeps: number[] = [];
  #now = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#now;
  }

  async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleeps.push(milliseconds);
    await new Promise<void>((resolve, reject) => {
      const sleeper: Sleeper = { due: this.#now + milliseconds, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener(
        'abort',
        () => {
          this.#sleepers.delete(sleeper);
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** Lets so many milliseconds pass. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await setImmediate();
    for (let next = this.#next(); next !== undefined && next.due <= end; next = this.#next()) {
      this.#wake(next);
      await setImmediate();
    }
    this.#now = end;
  }

  /** Lets as much time pass as a promise needs to settle. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    for (await setImmediate(); !settled; await setImmediate()) {
      const next = this.#next();
      if (next !== undefined) this.#wake(next);
    }
    return promise;
  }

  #next(): Sleeper | undefined {
    return [...this.#sleepers].sort((a, b) => a.due - b.due)[0];
  }

  #wake(sleeper: Sleeper): void {
    this.#now = Math.max(this.#now, sleeper.due);
    this.#sleepers.delete(sleeper);
    sleeper.wake();
  }
}
