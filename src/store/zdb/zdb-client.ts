import { Failure } from '../../base/errors.ts';
import type { RespValue } from './resp.ts';
import {
  ConnectionLost,
  RespConnection,
  type RespConnectionOptions,
  type RespTarget,
} from './resp-connection.ts';

export interface ZdbClientOptions extends RespConnectionOptions {
  readonly target: RespTarget;
  /** Most connections at a time. */
  readonly connections: number;
  /** What every new connection says before its first request; throws where the server refuses it. */
  readonly greet: (ask: RespConnection['exchange']) => Promise<void>;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Whether asking twice does no harm, so that the request is sent again when its connection is lost. */
  readonly repeatable: boolean;
}

/** A connection of the pool and how many requests use it or wait for it to stand. */
interface Slot {
  readonly connection: Promise<RespConnection>;
  load: number;
}

/** How often a request is sent at most. A connection may be lost several times: each may have been idle for long. */
const attempts = 3;

/**
 * Requests to a 0-db over few connections with many requests in flight on each. Connections are made when they are needed and
 * made anew when they are lost.
 */
export class ZdbClient {
  readonly #options: ZdbClientOptions;
  readonly #slots: Slot[] = [];

  constructor(options: ZdbClientOptions) {
    this.#options = options;
  }

  /**
   * The reply to a request; one that the server refuses is a reply too.
   * @throws Failure `unavailable`, `timeout`, `denied`, or `corrupt` for what is no reply; the reason of the signal.
   */
  async request(
    words: readonly (string | Uint8Array)[],
    { signal, repeatable }: RequestOptions,
  ): Promise<RespValue> {
    signal?.throwIfAborted();
    return orAborted(this.#request(words, repeatable ? attempts : 1, signal), signal);
  }

  async #request(
    words: readonly (string | Uint8Array)[],
    attempts: number,
    signal: AbortSignal | undefined,
  ): Promise<RespValue> {
    for (let attempt = 1; ; attempt++) {
      const slot = this.#leastLoaded();
      slot.load++;
      try {
        const connection = await slot.connection;
        signal?.throwIfAborted();
        return await connection.exchange(words);
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (attempt === attempts)
          throw new Failure('unavailable', 'the connection was lost', { cause: error });
      } finally {
        slot.load--;
      }
    }
  }

  #leastLoaded(): Slot {
    let best: Slot | undefined;
    for (const slot of this.#slots) if (best === undefined || slot.load < best.load) best = slot;
    if (best === undefined || (best.load > 0 && this.#slots.length < this.#options.connections))
      best = this.#add();
    return best;
  }

  #add(): Slot {
    const remove = () => {
      const at = this.#slots.indexOf(slot);
      if (at >= 0) this.#slots.splice(at, 1);
    };
    const slot: Slot = { connection: this.#connect(remove), load: 0 };
    slot.connection.catch(remove);
    this.#slots.push(slot);
    return slot;
  }

  async #connect(onEnd: () => void): Promise<RespConnection> {
    const { target, greet } = this.#options;
    const connection = await RespConnection.open(target, this.#options);
    connection.onEnd = onEnd;
    try {
      await greet((words) => connection.exchange(words));
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }
}

/** A promise that the signal can cut short. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
