import { blockSize } from './block/block-codec.ts';
import { blockRefSize, type ManifestColumns } from './manifest/manifest-columns.ts';

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
  const count = blockStart[row + 1]! - blockStart[row]!;
  for (let index = 0; index < count; index++) yield placedBlock({ blockStart, size }, row, index);
}

/** A block of a file by its index, which the file must have. */
export function placedBlock(
  { blockStart, size }: Pick<ManifestColumns, 'blockStart' | 'size'>,
  row: number,
  index: number,
): PlacedBlock {
  return {
    place: blockStart[row]! + index,
    index,
    size: Math.min(blockSize, size[row]! - index * blockSize),
  };
}

const refWords = blockRefSize / 4;

/**
 * Finds the blocks of some manifests that are equal: those of one id, or of one id, key and size. Takes some 12 bytes of
 * memory a block.
 */
export class EqualBlocks {
  readonly #manifests: readonly { readonly refs: Uint32Array; readonly start: number }[];
  /** Words of a reference that count. */
  readonly #words: number;
  /** Numbers + 1 of the first block of each kind; 0 is a free slot. */
  readonly #slots: Uint32Array;
  /** Plain sizes of those; undefined when they do not count. */
  readonly #sizes: Uint32Array | undefined;
  /** Odd, and others each time: who makes up ids cannot make them collide. */
  readonly #factors = crypto.getRandomValues(new Uint32Array(refWords)).map((x) => x | 1);
  /** How many blocks there are in all. */
  readonly count: number;

  constructor(manifests: readonly ManifestColumns[], equalBy: 'id' | 'id, key and size') {
    let count = 0;
    this.#manifests = manifests.map(({ blockRefs }) => {
      const refs = new Uint32Array(blockRefs.buffer, blockRefs.byteOffset, blockRefs.length / 4);
      const start = count;
      count += refs.length / refWords;
      return { refs, start };
    });
    this.count = count;
    const capacity = 2 ** Math.ceil(Math.log2(1 + count) + 0.5);
    this.#slots = new Uint32Array(capacity);
    this.#words = equalBy === 'id' ? refWords / 2 : refWords;
    this.#sizes = equalBy === 'id' ? undefined : new Uint32Array(capacity);
  }

  /** The number of a block: its place when the blocks of all manifests lie one behind the other. */
  numberOf({ place }: PlacedBlock, manifest = 0): number {
    return this.#manifests[manifest]!.start + place;
  }

  /** The number of the first block that was asked for and equals this one; its own when there was none. */
  firstLike(block: PlacedBlock, manifest = 0): number {
    const number = this.numberOf(block, manifest);
    const mask = this.#slots.length - 1;
    let slot = this.#hash(number) & mask;
    for (let held = this.#slots[slot]!; held !== 0; held = this.#slots[slot]!) {
      const isSize = this.#sizes === undefined || this.#sizes[slot] === block.size;
      if (isSize && this.#isEqual(held - 1, number)) return held - 1;
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = number + 1;
    if (this.#sizes !== undefined) this.#sizes[slot] = block.size;
    return number;
  }

  #hash(number: number): number {
    const { refs, at } = this.#refOf(number);
    let hash = 0;
    for (let i = 0; i < this.#words; i++) hash ^= Math.imul(refs[at + i]!, this.#factors[i]!);
    return hash >>> 7;
  }

  #isEqual(number: number, other: number): boolean {
    const [a, b] = [this.#refOf(number), this.#refOf(other)];
    for (let i = 0; i < this.#words; i++) if (a.refs[a.at + i] !== b.refs[b.at + i]) return false;
    return true;
  }

  #refOf(number: number): { refs: Uint32Array; at: number } {
    let manifest = this.#manifests.length - 1;
    while (this.#manifests[manifest]!.start > number) manifest--;
    const { refs, start } = this.#manifests[manifest]!;
    return { refs, at: (number - start) * refWords };
  }
}
