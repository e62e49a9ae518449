/** Numbers that follow from a seed alone (mulberry32), so that every case can be made again. */
export class Random {
  #state: number;

  /** @param seed any text */
  constructor(seed: string) {
    this.#state = 2166136261; // FNV-1a
    for (const byte of Buffer.from(seed)) this.#state = Math.imul(this.#state ^ byte, 16777619) >>> 0;
  }

  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  /** A whole number that is mostly small, and now and then up to `limit`. */
  small(limit: number): number {
    return this.below(Math.min(limit, 2 ** this.below(Math.ceil(Math.log2(limit + 1)) + 1)));
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }
}
