import { GrowingArray } from './growing-array.ts';
import { encodeName } from './names.ts';

/** Texts as bytes, one behind the other, in shared memory: a string of its own for each would take some 40 bytes more. */
export class GrowingText {
  readonly #bytes = new GrowingArray(Uint8Array);

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes so far and room after them; another array when it grows. */
  get bytes(): Uint8Array {
    return this.#bytes.array;
  }

  /**
   * Puts a text behind the others, as `encodeName` writes it, or as the bytes that it is.
   * @returns where it begins
   */
  append(text: string | Uint8Array): number {
    if (typeof text !== 'string' || !text.isWellFormed()) {
      const bytes = typeof text === 'string' ? encodeName(text) : text;
      const start = this.#bytes.extend(bytes.length);
      this.#bytes.array.set(bytes, start);
      return start;
    }
    const start = this.length;
    this.#bytes.reserve(text.length * 3); // no UTF-16 unit needs more bytes
    this.#bytes.extend(this.#bytes.bytes.write(text, start));
    return start;
  }

  /** The bytes, none more. */
  done(): Uint8Array {
    return this.#bytes.done();
  }
}
