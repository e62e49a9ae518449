/** The plain blocks used last, by their key, up to a number of bytes in all. */
export class BlockMemory {
  readonly #limit: number;
  readonly #blocks = new Map<string, Uint8Array>();
  #size = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Uint8Array | undefined {
    const block = this.#blocks.get(key);
    if (block !== undefined) {
      this.#blocks.delete(key);
      this.#blocks.set(key, block); // the order of a Map is that of insertion: the newest is last
    }
    return block;
  }

  set(key: string, block: Uint8Array): void {
    this.#size += block.length - (this.#blocks.get(key)?.length ?? 0);
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    for (const [oldest, { length }] of this.#blocks) {
      if (this.#size <= this.#limit) break;
      this.#blocks.delete(oldest);
      this.#size -= length;
    }
  }
}
