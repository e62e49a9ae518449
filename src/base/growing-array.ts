export type NumberArray = Float64Array | Uint32Array | Uint8Array;

interface NumberArrayType<A extends NumberArray> {
  new (buffer: SharedArrayBuffer): A;
  readonly BYTES_PER_ELEMENT: number;
}

/** Numbers in shared memory, as many as come: other threads may read them without a copy. */
export class GrowingArray<A extends NumberArray> {
  readonly #type: NumberArrayType<A>;
  #array: A;
  #bytes: Buffer | undefined;
  #length = 0;

  /** @param expected how many will come, at a guess; memory is used for those that do come. */
  constructor(type: NumberArrayType<A>, expected = 0) {
    this.#type = type;
    this.#array = new type(new SharedArrayBuffer(Math.max(expected, 16) * type.BYTES_PER_ELEMENT));
  }

  get length(): number {
    return this.#length;
  }

  /** The numbers so far and room after them; another array when it grows. */
  get array(): A {
    return this.#array;
  }

  /** The bytes of `array`. */
  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.#array.buffer);
    return this.#bytes;
  }

  push(value: number): void {
    const place = this.extend(1); // first: it may put another array in place
    if (value !== 0) this.#array[place] = value; // pages of zeros that nobody wrote take no memory
  }

  /** Makes so many numbers more, which are 0, and returns the place of the first. */
  extend(count: number): number {
    const place = this.#length;
    this.reserve(count);
    this.#length += count;
    return place;
  }

  /** Makes room for so many numbers more. */
  reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#array.length) return;
    const larger = new this.#type(
      new SharedArrayBuffer(Math.max(needed, this.#array.length * 2) * this.#type.BYTES_PER_ELEMENT),
    );
    larger.set(this.#array);
    this.#array = larger;
    this.#bytes = undefined;
  }

  /** The numbers, none more. */
  done(): A {
    return this.#array.subarray(0, this.#length) as A;
  }
}
