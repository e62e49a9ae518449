import { blockSize } from './block-codec.ts';
import { blockRefSize, type ManifestColumns } from './manifest-columns.ts';

/** A place in the blocks of a manifest. */
export interface PlacedBlock {
  /** Of the file. */
  readonly row: number;
  /** In `blockRefs`, in units of `blockRefSize`. */
  readonly place: number;
  /** Plain bytes that the file has in this block. */
  readonly size: number;
}

/** Every block of every file of a manifest, in the order of the files. */
export function* placedBlocks({ blockStart, size }: ManifestColumns): Generator<PlacedBlock> {
  for (let row = 0; row < size.length; row++) {
    const [first, end] = [blockStart[row]!, blockStart[row + 1]!];
    for (let place = first; place < end; place++)
      yield { row, place, size: Math.min(blockSize, size[row]! - (place - first) * blockSize) };
  }
}

/**
 * The blocks of a manifest without those that are there already with the same id, key and size. Takes some 10 bytes of memory a
 * block.
 */
export function* distinctBlocks(columns: ManifestColumns): Generator<PlacedBlock> {
  const known = new PlaceSet(columns.blockRefs);
  for (const block of placedBlocks(columns)) if (known.add(block)) yield block;
}

const words = blockRefSize / 4;

/** A set of blocks by what they say, not by where they are. */
class PlaceSet {
  readonly #refs: Uint32Array;
  /** Places + 1 of those in the set; 0 is a free slot. */
  readonly #slots: Uint32Array;
  readonly #sizes: Uint32Array;
  /** Odd, and others in each set: who makes up ids cannot make them collide. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(words)).map((x) => x | 1);

  constructor(blockRefs: Uint8Array) {
    this.#refs = new Uint32Array(blockRefs.buffer, blockRefs.byteOffset, blockRefs.length / 4);
    const capacity = 2 ** Math.ceil(Math.log2(1 + this.#refs.length / words) + 0.5);
    this.#slots = new Uint32Array(capacity);
    this.#sizes = new Uint32Array(capacity);
  }

  /** @returns whether it is new */
  add({ place, size }: PlacedBlock): boolean {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(place) & mask;
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#sizes[slot] === size && this.#isEqual(held - 1, place)) return false;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = place + 1;
    this.#sizes[slot] = size;
    return true;
  }

  #hash(place: number): number {
    let hash = 0;
    for (let i = 0; i < words; i++) hash ^= Math.imul(this.#refs[place * words + i]!, this.#factors[i]!);
    return hash >>> 7;
  }

  #isEqual(a: number, b: number): boolean {
    for (let i = 0; i < words; i++) if (this.#refs[a * words + i] !== this.#refs[b * words + i]) return false;
    return true;
  }
}
