import { setImmediate } from 'node:timers/promises';

/** A sync does not wait for writers that are under way when so many already wait for it. */
const enough = 64;

/**
 * Lets many writers share one sync, so the more there are, the less each costs. A sync begins when no writer is under way or
 * many wait for it; those who come during one wait together for the next.
 */
export class GroupCommit {
  readonly #sync: () => Promise<void>;
  #next: { readonly done: PromiseWithResolvers<void>; size: number } | undefined;
  #writing = 0;
  #isSyncing = false;

  /** @param sync makes durable all that was written before it began. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Runs a step, and returns when a sync that began after it has ended. @throws what the step or the sync threw. */
  async durable(step: () => Promise<void>): Promise<void> {
    this.#writing++;
    try {
      await step();
    } catch (error) {
      this.#writing--;
      this.#start();
      throw error;
    }
    this.#writing--;
    this.#next ??= { done: Promise.withResolvers<void>(), size: 0 };
    this.#next.size++;
    const { done } = this.#next;
    this.#start();
    await done.promise;
  }

  #start(): void {
    const batch = this.#next;
    if (batch === undefined || this.#isSyncing || (this.#writing > 0 && batch.size < enough)) return;
    this.#next = undefined;
    this.#isSyncing = true;
    void this.#run(batch.done);
  }

  async #run(batch: PromiseWithResolvers<void>): Promise<void> {
    await this.#sync().then(batch.resolve, batch.reject);
    await setImmediate(); // the writers of this batch begin their next step
    this.#isSyncing = false;
    this.#start();
  }
}
