/** The first 64 bits of a name, as two numbers. Names are digests, so that is enough to tell them apart. */
export type ShortName = readonly [high: number, low: number];

export function shortName(name: string): ShortName {
  return [Number.parseInt(name.slice(0, 8), 16), Number.parseInt(name.slice(8, 16), 16)];
}

/** A number for each of many names, in 24 bytes or less each. Zero and none are the same. */
export class NameTable {
  #size = 0;
  #capacity = 1024;
  #high = new Uint32Array(this.#capacity);
  #low = new Uint32Array(this.#capacity);
  #values = new Uint32Array(this.#capacity);

  get size(): number {
    return this.#size;
  }

  get([high, low]: ShortName): number {
    return this.#values[this.#slotOf(high, low)]!;
  }

  /** @param value above zero. */
  set([high, low]: ShortName, value: number): void {
    const slot = this.#slotOf(high, low);
    if (this.#values[slot] === 0) this.#size++;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#values[slot] = value;
    if (this.#size * 2 > this.#capacity) this.#grow();
  }

  #slotOf(high: number, low: number): number {
    const mask = this.#capacity - 1;
    let slot = low & mask;
    while (this.#values[slot] !== 0 && (this.#high[slot] !== high || this.#low[slot] !== low))
      slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const [high, low, values, before] = [this.#high, this.#low, this.#values, this.#capacity];
    this.#capacity *= 2;
    this.#high = new Uint32Array(this.#capacity);
    this.#low = new Uint32Array(this.#capacity);
    this.#values = new Uint32Array(this.#capacity);
    this.#size = 0;
    for (let i = 0; i < before; i++) if (values[i] !== 0) this.set([high[i]!, low[i]!], values[i]!);
  }
}
