import type { BlockRange } from './block-ranges.ts';

/** A READ of the kernel that waits for blocks. */
export class WaitingRead {
  readonly unique: bigint;
  /** When it came, on the clock of `performance.now`. */
  readonly since = performance.now();
  readonly ranges: readonly BlockRange[];
  readonly #pieces: (Uint8Array | undefined)[];
  #missing: number;
  /** Whether it is answered, or given up. */
  isEnded = false;

  constructor(unique: bigint, ranges: readonly BlockRange[]) {
    this.unique = unique;
    this.ranges = ranges;
    this.#pieces = ranges.map(() => undefined);
    this.#missing = ranges.length;
  }

  get size(): number {
    return this.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /**
   * Gives it one range.
   * @param plain the whole block, which must stay as it is until the READ has ended, or `own` was called
   * @returns the pieces of the answer when they are complete
   */
  give(piece: number, plain: Uint8Array): readonly Uint8Array[] | undefined {
    const { start, end } = this.ranges[piece]!;
    if (this.#pieces[piece] === undefined) this.#missing--;
    this.#pieces[piece] = plain.subarray(start, end);
    return this.#missing === 0 ? (this.#pieces as Uint8Array[]) : undefined;
  }

  /** Copies a range that it was given, so that the block may go. */
  own(piece: number): void {
    const bytes = this.#pieces[piece];
    if (bytes !== undefined) this.#pieces[piece] = Buffer.from(bytes);
  }
}
