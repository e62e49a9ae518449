import { orAborted } from '../../base/abort.ts';
import type { BlockId } from '../store.ts';
import { claimBlock } from '../upkeep.ts';
import { type Ask, type Call, Wrapper } from './wrapper.ts';

/** A question that is on its way. */
interface Flight {
  readonly answer: Promise<unknown>;
  readonly cancel: AbortController;
  /** Those who wait for the answer. */
  waiting: number;
}

/**
 * Asks the store once where several ask for the same at the same time. Who gives up does not end the question for the
 * others; when all have, it is ended. Bytes that several get are the same object, not to be changed.
 */
export class SingleFlightStore extends Wrapper {
  readonly #flights = new Map<string, Flight>();

  protected override async around<T>(call: Call, ask: Ask<T>): Promise<T> {
    const { operation, id, signal } = call;
    signal?.throwIfAborted();
    if (operation === 'put') this.#part(id, 'get', 'has', 'delete');
    if (operation === 'delete') this.#part(id, 'get', 'has', 'put');
    const key = keyOf(operation, id);
    const flight = this.#flights.get(key) ?? this.#start(call, ask);
    flight.waiting++;
    try {
      return (await orAborted(flight.answer, signal)) as T;
    } finally {
      flight.waiting--;
      if (flight.waiting === 0 && signal?.aborted) {
        if (this.#flights.get(key) === flight) this.#flights.delete(key);
        flight.cancel.abort(signal.reason);
      }
    }
  }

  /** Is no question alone: it changes the age of the block. */
  override claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return claimBlock(this.inner, id, signal);
  }

  #start({ operation, id }: Call, ask: Ask<unknown>): Flight {
    const key = keyOf(operation, id);
    const cancel = new AbortController();
    const answer = ask(cancel.signal).finally(() => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
      if (operation === 'put' || operation === 'delete') this.#part(id, 'get', 'has');
    });
    const flight: Flight = { answer, cancel, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  /** Nobody joins what is on its way any more: a change begins or ends, and who asks after it must not get an older answer. */
  #part(id: BlockId, ...from: readonly Call['operation'][]): void {
    for (const operation of from) this.#flights.delete(keyOf(operation, id));
  }
}

const keyOf = (operation: Call['operation'], id: BlockId) => `${operation} ${id}`;
