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
  // Not that of node:timers/promises: it makes an error of its own for each sleep that is ended, which costs more than a sleep.
  async sleep(milliseconds, signal) {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(wake, milliseconds);
      signal?.addEventListener('abort', stop);
      function wake() {
        signal?.removeEventListener('abort', stop);
        resolve();
      }
      function stop() {
        clearTimeout(timer);
        signal!.removeEventListener('abort', stop);
        reject(signal!.reason);
      }
    });
  },
};
