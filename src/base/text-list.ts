import { GrowingArray } from './growing-array.ts';
import { GrowingText } from './growing-text.ts';
import { decodeName } from './names.ts';

/** Texts in their order, kept as bytes: each is made when it is taken. */
export class TextList implements Iterable<string> {
  readonly #text = new GrowingText();
  readonly #starts = new GrowingArray(Uint32Array);

  get length(): number {
    return this.#starts.length;
  }

  /** Bytes of all texts; there is room for 4 GiB. */
  get size(): number {
    return this.#text.length;
  }

  add(text: string): void {
    this.#starts.push(this.#text.append(text));
  }

  *[Symbol.iterator](): Generator<string> {
    for (let i = 0; i < this.length; i++) {
      const end = i + 1 < this.length ? this.#starts.array[i + 1]! : this.size;
      yield decodeName(this.#text.bytes.subarray(this.#starts.array[i]!, end));
    }
  }
}
