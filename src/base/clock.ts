import { setTimeout } from 'node:timers/promises';

/** Time in milliseconds, so that a test can be its master. */
export interface Clock {
  /** Grows steadily from an arbitrary zero, whatever happens to the time of day. */
  now(): number;
  /** @throws the reason of the signal, as soon as it aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(milliseconds, signal) {
    try {
      await setTimeout(milliseconds, undefined, signal && { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};
