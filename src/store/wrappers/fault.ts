import { orAborted } from '../../base/abort.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/errors.ts';
import type { BlockId, Store } from '../store.ts';
import { Fault, type FaultRule } from './fault-rules.ts';
import { type Ask, type Call, type Operation, Wrapper } from './wrapper.ts';

export interface FaultOptions {
  readonly rules: readonly FaultRule[];
  /** Equal seeds make equal faults, in whatever order the questions come; 0 by default. */
  readonly seed?: number;
  readonly clock?: Clock;
}

/**
 * Makes a store go wrong, by rule: late, silent, failing, or with damaged blocks. A put that damages keeps the damaged
 * block under the right id. For tests, and as `fault+URL` for whoever wants to see what happens then.
 */
export class FaultStore extends Wrapper {
  override readonly address: string;
  readonly #faults: readonly Fault[];
  readonly #clock: Clock;
  /** The last block that went through, for `wrong`. */
  #seen: { readonly id: BlockId; readonly blob: Uint8Array } | undefined;

  constructor(inner: Store, { rules, seed = 0, clock = systemClock }: FaultOptions) {
    super(inner);
    this.address = `fault+${inner.address}`;
    this.#faults = rules.map((rule, index) => new Fault(rule, `${seed} ${index}`));
    this.#clock = clock;
  }

  override async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    const damage = await this.#strike('get', id, signal);
    return this.#through(id, await this.inner.get(id, signal), damage, signal);
  }

  override async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    const damage = await this.#strike('put', id, signal);
    return this.inner.put(id, await this.#through(id, blob, damage, signal), signal);
  }

  override async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    await this.#strike('list', '', signal);
    yield* this.inner.list(signal);
  }

  protected override async around<T>({ operation, id, signal }: Call, ask: Ask<T>): Promise<T> {
    await this.#strike(operation, id, signal);
    return ask(signal);
  }

  /** Delays, fails or never returns, as the rules want; the faults that are left damage the block. */
  async #strike(operation: Operation, id: BlockId, signal: AbortSignal | undefined): Promise<Fault[]> {
    signal?.throwIfAborted();
    const due = this.#faults.filter((fault) => fault.befalls(operation, id));
    for (const { effect } of due) {
      if (effect.name === 'delay') await this.#clock.sleep(effect.milliseconds, signal);
      if (effect.name === 'hang') await orAborted(new Promise<never>(() => {}), signal);
      if (effect.name === 'error')
        throw new Failure(
          effect.kind,
          `${this.address}: injected fault (${effect.kind}) in ${operation} ${id}`,
        );
    }
    return due;
  }

  async #through(
    id: BlockId,
    blob: Uint8Array,
    faults: readonly Fault[],
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    let given = blob;
    for (const fault of faults) {
      const { name } = fault.effect;
      const position = Math.floor(fault.chance(`position ${id}`) * given.length);
      if (name === 'truncate') given = given.subarray(0, position);
      else if (name === 'flip') given = flipBit(given, position);
      else if (name === 'wrong') given = await this.#otherBlock(id, signal);
    }
    this.#seen = { id, blob };
    return given;
  }

  async #otherBlock(id: BlockId, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (this.#seen !== undefined && this.#seen.id !== id) return this.#seen.blob;
    if (this.capabilities.list)
      for await (const other of this.inner.list(signal))
        if (other !== id) return this.inner.get(other, signal);
    throw new Failure('config', `${this.address} has no other block to give in place of ${id}`, {
      hint: 'the fault "wrong" needs two blocks',
    });
  }
}

function flipBit(blob: Uint8Array, position: number): Uint8Array {
  const flipped = Uint8Array.from(blob);
  if (flipped.length > 0) flipped[position]! ^= 1 << (position % 8);
  return flipped;
}
