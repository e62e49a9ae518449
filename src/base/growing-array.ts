export type NumberArray = Float64Array | Uint32Array | Uint8Array;

interface NumberArrayType<A extends NumberArray> {
  new (buffer: SharedArrayBuffer, start?: number, length?: number): A;
  readonly BYTES_PER_ELEMENT: number;
}

/** Up to here an array that grows is a copy: a piece of address space for each of some small ones would be a waste. */
const mostCopied = 1 << 16;
/** Address space, not memory, for each that is larger. */
const reserved = 2 ** 32;

/**
 * Numbers in shared memory, as many as come: other threads may read them without a copy. Large ones grow in their place, so that
 * no memory is used twice, nor for what may come.
 */
export class GrowingArray<A extends NumberArray> {
  readonly #type: NumberArrayType<A>;
  #array: A;
  #bytes: Buffer | undefined;
  #length = 0;

  constructor(type: NumberArrayType<A>) {
    this.#type = type;
    this.#array = new type(new SharedArrayBuffer(16 * type.BYTES_PER_ELEMENT));
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
    this.#bytes ??= Buffer.from(this.#array.buffer, 0, this.#array.byteLength);
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
    if (needed > this.#array.length) this.#enlarge(Math.max(needed, this.#array.length * 2));
  }

  #enlarge(length: number): void {
    const size = length * this.#type.BYTES_PER_ELEMENT;
    const before = this.#array;
    let { buffer } = before as { buffer: SharedArrayBuffer };
    const canGrow = buffer.growable && size <= buffer.maxByteLength;
    if (canGrow) buffer.grow(size);
    else if (size <= mostCopied) buffer = new SharedArrayBuffer(size);
    else buffer = new SharedArrayBuffer(size, { maxByteLength: Math.max(reserved, size) });
    this.#array = new this.#type(buffer, 0, length);
    this.#bytes = undefined;
    if (!canGrow) this.#array.set(before);
  }

  /** The numbers, none more. */
  done(): A {
    return this.#array.subarray(0, this.#length) as A;
  }
}

/** What `GrowingNumbers` gives. */
export type Numbers = Uint32Array | Float64Array;

/** Numbers as `GrowingArray` keeps them, in 32 bits each as long as that is enough for all of them, and then in 64. */
export class GrowingNumbers {
  #numbers: GrowingArray<Numbers> = new GrowingArray<Numbers>(Uint32Array);
  #isWide = false;

  get length(): number {
    return this.#numbers.length;
  }

  /** The numbers so far and room after them; another array when it grows. */
  get array(): Numbers {
    return this.#numbers.array;
  }

  push(value: number): void {
    if (!this.#isWide && value >>> 0 !== value) this.#widen();
    this.#numbers.push(value);
  }

  /** The numbers, none more. */
  done(): Numbers {
    return this.#numbers.done();
  }

  #widen(): void {
    const narrow = this.#numbers.done();
    this.#numbers = new GrowingArray<Numbers>(Float64Array);
    this.#numbers.extend(narrow.length);
    this.#numbers.array.set(narrow);
    this.#isWide = true;
  }
}
