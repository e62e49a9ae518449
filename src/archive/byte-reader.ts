import { Failure } from '../base/errors.ts';

/** A source that can leave bytes out: up to `size` of them, as many as there are; it says how many. */
interface SkippingIterator extends AsyncIterator<Uint8Array> {
  skip?(size: number): Promise<number>;
}

/** Takes the bytes of a source in pieces of wanted sizes. Holds no more than the source's own chunks. */
export class ByteReader {
  /** What is read, for messages. */
  readonly name: string;
  readonly #source: SkippingIterator;
  /** Bytes that came from the source and were not taken yet. */
  #chunks: Uint8Array[] = [];
  #buffered = 0;
  #offset = 0;

  constructor(source: AsyncIterable<Uint8Array> | Uint8Array, name: string) {
    this.#source = (source instanceof Uint8Array ? one(source) : source)[Symbol.asyncIterator]();
    this.name = name;
  }

  /** Number of bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Whether every byte was taken. */
  async atEnd(): Promise<boolean> {
    return !(await this.#fill(1));
  }

  /** The next `size` bytes, or fewer at the end, which stay to be read. */
  async peek(size: number): Promise<Uint8Array> {
    await this.#fill(size);
    return this.#joined().subarray(0, size);
  }

  /**
   * Exactly the next `size` bytes. They may be a view into a chunk of the source.
   * @throws Failure `corrupt` when the source ends before.
   */
  async read(size: number): Promise<Uint8Array> {
    if (!(await this.#fill(size)))
      throw new Failure('corrupt', `${this.name} is cut off at byte ${this.#offset + this.#buffered}`, {
        hint: 'get the file again',
      });
    this.#offset += size;
    this.#buffered -= size;
    const first = this.#chunks[0];
    if (first !== undefined && first.length > size) {
      this.#chunks[0] = first.subarray(size);
      return first.subarray(0, size);
    }
    const taken = this.#joined();
    this.#chunks = taken.length > size ? [taken.subarray(size)] : [];
    return taken.subarray(0, size);
  }

  /**
   * Leaves out the next `size` bytes, by the source's own `skip` where it has one; none of them is kept.
   * @throws Failure `corrupt` when the source ends before.
   */
  async skip(size: number): Promise<void> {
    for (let left = size; left > 0; ) {
      if (this.#buffered === 0 && this.#source.skip !== undefined) {
        const skipped = await this.#source.skip(left);
        this.#offset += skipped;
        left -= skipped;
        if (left === 0) return;
      }
      const piece = Math.min(left, Math.max(1, this.#buffered));
      await this.read(piece);
      left -= piece;
    }
  }

  /** Every byte not taken yet, in the chunks of the source. */
  async *rest(): AsyncIterable<Uint8Array> {
    while (await this.#fill(1)) yield await this.read(this.#buffered);
  }

  /** Tells the source that no more bytes are wanted. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  #joined(): Uint8Array {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }

  async #fill(size: number): Promise<boolean> {
    while (this.#buffered < size) {
      const next = await this.#source.next();
      if (next.done) return false;
      if (next.value.length === 0) continue;
      this.#chunks.push(next.value);
      this.#buffered += next.value.length;
    }
    return true;
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
