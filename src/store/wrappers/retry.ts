import { type Clock, systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/errors.ts';
import type { BlockId, Store } from '../store.ts';
import { type Ask, type Call, Wrapper } from './wrapper.ts';

export interface RetryOptions {
  /** Attempts in all, the first one included; 5 by default. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt; doubled before each one after. 250 by default. */
  readonly pause?: number;
  /** The longest pause in milliseconds; 8,000 by default. */
  readonly longestPause?: number;
  readonly clock?: Clock;
  /** From 0 to below 1: half of each pause is left to chance, so that clients do not come back all at once. */
  readonly random?: () => number;
}

/**
 * Runs a task until it succeeds, as often as the options allow, when it fails for a reason that may pass by itself: only
 * `unavailable` and `timeout` do. The signal ends the task (which must listen to it) and the pauses.
 * @param task gets the number of the attempt, from 1.
 * @throws what the last attempt threw; after several attempts it says how many.
 */
export async function withRetries<T>(
  options: RetryOptions,
  signal: AbortSignal | undefined,
  task: (attempt: number) => Promise<T>,
): Promise<T> {
  const {
    attempts = 5,
    pause = 250,
    longestPause = 8000,
    clock = systemClock,
    random = Math.random,
  } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await task(attempt);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!mayPass(error) || attempt >= attempts) throw counted(error, attempt);
    }
    const longest = Math.min(pause * 2 ** (attempt - 1), longestPause);
    await clock.sleep(longest * (0.5 + random() / 2), signal);
  }
}

function mayPass(error: unknown): boolean {
  return error instanceof Failure && (error.kind === 'unavailable' || error.kind === 'timeout');
}

function counted(error: unknown, attempts: number): unknown {
  if (attempts === 1 || !(error instanceof Failure)) return error;
  return new Failure(error.kind, `${error.message}, after ${attempts} attempts`, {
    cause: error.cause,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

/** Asks again what failed for a reason that may pass. A list is asked for again only before it has given its first id. */
export class RetryStore extends Wrapper {
  readonly #options: RetryOptions;

  constructor(inner: Store, options: RetryOptions = {}) {
    super(inner);
    this.#options = options;
  }

  protected override around<T>(call: Call, ask: Ask<T>): Promise<T> {
    return withRetries(this.#options, call.signal, () => ask(call.signal));
  }

  override async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    let iterator = this.inner.list(signal)[Symbol.asyncIterator]();
    let next = await withRetries(this.#options, signal, (attempt) => {
      if (attempt > 1) iterator = this.inner.list(signal)[Symbol.asyncIterator]();
      return iterator.next();
    });
    try {
      for (; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
}
