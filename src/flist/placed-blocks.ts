import { blockSize } from './block-codec.ts';
import { blockRefSize, type ManifestColumns } from './manifest-columns.ts';

/** A block at its place in a file. */
export interface PlacedBlock {
  /** In `blockRefs`, in units of `blockRefSize`. */
  readonly place: number;
  /** Place in the file: its bytes begin at so many times `blockSize`. */
  readonly index: number;
  /** Plain bytes that the file has in this block. */
  readonly size: number;
}

/** Every block of every file of a manifest, in the order of the files. */
export function* placedBlocks(columns: ManifestColumns): Generator<PlacedBlock> {
  for (let row = 0; row < columns.size.length; row++) yield* blocksOfRow(columns, row);
}

/** Every block of a file in its order. */
export function* blocksOfRow({ blockStart, size }: ManifestColumns, row: number): Generator<PlacedBlock> {
  const [first, end] = [blockStart[row]!, blockStart[row + 1]!];
  for (let place = first; place < end; place++) {
    const index = place - first;
    yield { place, index, size: Math.min(blockSize, size[row]! - index * blockSize) };
  }
}

const words = blockRefSize / 4;

/** Finds equal blocks of a manifest: those with the same id, key and size. Takes some 12 bytes of memory a block. */
export class EqualBlocks {
  readonly #refs: Uint32Array;
  /** Places + 1 of the first block of each kind; 0 is a free slot. */
  readonly #slots: Uint32Array;
  readonly #sizes: Uint32Array;
  /** Odd, and others each time: who makes up ids cannot make them collide. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(words)).map((x) => x | 1);

  constructor({ blockRefs }: ManifestColumns) {
    this.#refs = new Uint32Array(blockRefs.buffer, blockRefs.byteOffset, blockRefs.length / 4);
    const capacity = 2 ** Math.ceil(Math.log2(1 + this.#refs.length / words) + 0.5);
    this.#slots = new Uint32Array(capacity);
    this.#sizes = new Uint32Array(capacity);
  }

  /** The place of the first block that was asked for and equals this one; its own when there was none. */
  firstLike({ place, size }: PlacedBlock): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(place) & mask;
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      if (this.#sizes[slot] === size && this.#isEqual(held - 1, place)) return held - 1;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = place + 1;
    this.#sizes[slot] = size;
    return place;
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
