import { type Clock, systemClock } from '../../base/clock.ts';
import { Failure, type FailureKind } from '../../base/errors.ts';
import type { BlockId, Store } from '../store.ts';
import { type Ask, bytesMoved, type Call, type Operation, operations, Wrapper } from './wrapper.ts';

/** How a question ended: `done`, `aborted` by who asked, the kind of its failure, or `error` for a fault of the program. */
export type Outcome = 'done' | 'aborted' | 'error' | FailureKind;

/** What a store was asked in one way. */
export interface OperationFigures {
  /** Questions that are not answered yet. */
  readonly underway: number;
  /** Questions by their end. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** Bytes of blocks that were moved. */
  readonly bytes: number;
  /** Of all questions that have ended, together. */
  readonly milliseconds: number;
  /** Ended questions by the time that they took: at most `latencyBounds[i]` milliseconds, the last one longer than all. */
  readonly latencies: readonly number[];
}

/** What a store was asked, by the way of asking. A list counts once, with the time until its end. */
export type StoreFigures = Readonly<Record<Operation, OperationFigures>>;

/** Upper bounds of the classes of latency, in milliseconds. */
export const latencyBounds: readonly number[] = [
  1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
];

/** Counts what stores are asked; several may share one. */
export class Meter {
  readonly #clock: Clock;
  readonly #figures = Object.fromEntries(operations.map((name) => [name, emptyFigures()])) as Record<
    Operation,
    ReturnType<typeof emptyFigures>
  >;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** A copy of the figures so far; it is plain and can be written as JSON. */
  snapshot(): StoreFigures {
    return structuredClone(this.#figures);
  }

  /** A question begins; the function is called with its end. */
  begin(operation: Operation): (outcome: Outcome, bytes: number) => void {
    const figures = this.#figures[operation];
    const start = this.#clock.now();
    figures.underway++;
    return (outcome, bytes) => {
      const took = this.#clock.now() - start;
      const bound = latencyBounds.findIndex((limit) => took <= limit);
      figures.underway--;
      figures.outcomes[outcome] = (figures.outcomes[outcome] ?? 0) + 1;
      figures.bytes += bytes;
      figures.milliseconds += took;
      figures.latencies[bound < 0 ? latencyBounds.length : bound]!++;
    };
  }
}

function emptyFigures() {
  return {
    underway: 0,
    outcomes: {} as Partial<Record<Outcome, number>>,
    bytes: 0,
    milliseconds: 0,
    latencies: new Array<number>(latencyBounds.length + 1).fill(0),
  };
}

/** Reports every question to a meter. */
export class MeteredStore extends Wrapper {
  readonly #meter: Meter;

  constructor(inner: Store, meter: Meter) {
    super(inner);
    this.#meter = meter;
  }

  protected override async around<T>(call: Call, ask: Ask<T>): Promise<T> {
    const end = this.#meter.begin(call.operation);
    try {
      const result = await ask(call.signal);
      end('done', bytesMoved(call, result));
      return result;
    } catch (error) {
      end(outcomeOf(error, call.signal), 0);
      throw error;
    }
  }

  override async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const end = this.#meter.begin('list');
    let outcome: Outcome = 'done';
    try {
      yield* this.inner.list(signal);
    } catch (error) {
      outcome = outcomeOf(error, signal);
      throw error;
    } finally {
      end(outcome, 0);
    }
  }
}

function outcomeOf(error: unknown, signal: AbortSignal | undefined): Outcome {
  if (error instanceof Failure) return error.kind;
  return signal?.aborted ? 'aborted' : 'error';
}
