/**
 * Lets many writers share one sync: while one is under way, those who come wait together for the next, so the more there
 * are, the less each costs.
 */
export class GroupCommit {
  readonly #sync: () => Promise<void>;
  #next: PromiseWithResolvers<void> | undefined;
  #isRunning = false;

  /** @param sync makes durable all that was written before it began. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync;
  }

  /** Returns when a sync that began after this call has ended. @throws what the sync threw. */
  durable(): Promise<void> {
    this.#next ??= Promise.withResolvers<void>();
    const { promise } = this.#next;
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#next !== undefined) {
      const batch = this.#next;
      this.#next = undefined;
      await this.#sync().then(batch.resolve, batch.reject);
    }
    this.#isRunning = false;
  }
}
