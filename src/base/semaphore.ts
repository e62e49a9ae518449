import { orAborted } from './abort.ts';

/** Lets a number of tasks run at one time; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(size: number) {
    this.#free = size;
  }

  /** @throws the reason of the signal when it aborts before the turn of the task. */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(signal);
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    const { promise: turn, resolve: admit } = Promise.withResolvers<void>();
    this.#waiting.add(admit);
    try {
      await orAborted(turn, signal);
    } catch (error) {
      // Admitted at the very moment of the abort: the place goes to the next one.
      if (!this.#waiting.delete(admit)) this.#leave();
      throw error;
    }
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#free++;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
