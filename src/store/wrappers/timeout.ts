import { orAborted } from '../../base/abort.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/errors.ts';
import { formatDuration } from '../../base/units.ts';
import type { BlockId, Store } from '../store.ts';
import { type Ask, type Call, Wrapper } from './wrapper.ts';

export interface TimeoutOptions {
  /** Milliseconds that an answer may take, its transfer included; for a list, each further id. */
  readonly timeout: number;
  readonly clock?: Clock;
}

/** The reason to stop a clock; without one each call would make an error, with its stack. */
const inTime = new Error('answered in time');

/** Gives up what takes too long with `Failure('timeout')`, also when the store does not listen to its signal. */
export class TimeoutStore extends Wrapper {
  readonly #timeout: number;
  readonly #clock: Clock;

  constructor(inner: Store, { timeout, clock = systemClock }: TimeoutOptions) {
    super(inner);
    this.#timeout = timeout;
    this.#clock = clock;
  }

  protected override around<T>({ operation, id, signal }: Call, ask: Ask<T>): Promise<T> {
    return this.#within(`to ${operation} block ${id}`, signal, ask);
  }

  override async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const stop = new AbortController();
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const iterator = this.inner.list(either)[Symbol.asyncIterator]();
    const next = () => this.#within('to list its blocks', signal, () => iterator.next());
    try {
      for (let each = await next(); !each.done; each = await next()) yield each.value;
    } finally {
      stop.abort();
      iterator.return?.().catch(() => {}); // not waited for: it may hang
    }
  }

  async #within<T>(what: string, signal: AbortSignal | undefined, ask: Ask<T>): Promise<T> {
    const stop = new AbortController();
    const done = new AbortController();
    const told = () => stop.abort(signal!.reason);
    if (signal?.aborted) told();
    signal?.addEventListener('abort', told); // a tenth of what AbortSignal.any takes
    this.#clock.sleep(this.#timeout, done.signal).then(
      () => stop.abort(this.#failure(what)),
      () => {}, // done in time
    );
    try {
      return await orAborted(ask(stop.signal), stop.signal);
    } finally {
      signal?.removeEventListener('abort', told);
      done.abort(inTime);
    }
  }

  #failure(what: string): Failure {
    return new Failure('timeout', `${this.address} took more than ${formatDuration(this.#timeout)} ${what}`, {
      hint: 'check the network and the server; on a slow line allow more time in the address of the store: ?timeout=60s',
    });
  }
}
