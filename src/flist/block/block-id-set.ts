import { randomBytes } from 'node:crypto';
import type { BlockId } from '../../store/store.ts';

const words = 8;

/** A set of block ids in about 64 bytes each, so that a million of them is nothing to speak of. */
export class BlockIdSet {
  #size = 0;
  #capacity = 1024;
  #ids = new Uint32Array(this.#capacity * words);
  #taken = new Uint8Array(this.#capacity);
  readonly #wanted = new Uint32Array(words);
  readonly #wantedBytes = Buffer.from(this.#wanted.buffer);
  /** Odd, and another one in each set: who makes up ids cannot make them collide. */
  readonly #factors = new Uint32Array(randomBytes(words * 4).buffer.slice(0, words * 4)).map((x) => x | 1);

  get size(): number {
    return this.#size;
  }

  has(id: BlockId): boolean {
    return this.#taken[this.#slotOf(id)] === 1;
  }

  /** @returns whether the id is new. */
  add(id: BlockId): boolean {
    const slot = this.#slotOf(id);
    if (this.#taken[slot] === 1) return false;
    this.#taken[slot] = 1;
    this.#ids.set(this.#wanted, slot * words);
    this.#size++;
    if (this.#size * 2 > this.#capacity) this.#grow();
    return true;
  }

  /** In no particular order. */
  *[Symbol.iterator](): Generator<BlockId> {
    const bytes = Buffer.from(this.#ids.buffer);
    for (let slot = 0; slot < this.#capacity; slot++)
      if (this.#taken[slot] === 1) yield bytes.toString('hex', slot * words * 4, (slot + 1) * words * 4);
  }

  /** Where the id is, or where it would go; leaves its words in `#wanted`. */
  #slotOf(id: BlockId): number {
    this.#wantedBytes.write(id, 'hex');
    return this.#freeOrEqualSlot();
  }

  #freeOrEqualSlot(): number {
    let hash = 0;
    for (let i = 0; i < words; i++) hash ^= Math.imul(this.#wanted[i]!, this.#factors[i]!);
    let slot = (hash >>> 7) & (this.#capacity - 1);
    while (this.#taken[slot] === 1 && !this.#isAt(slot)) slot = (slot + 1) & (this.#capacity - 1);
    return slot;
  }

  #isAt(slot: number): boolean {
    for (let i = 0; i < words; i++) if (this.#ids[slot * words + i] !== this.#wanted[i]) return false;
    return true;
  }

  #grow(): void {
    const [ids, taken, before] = [this.#ids, this.#taken, this.#capacity];
    this.#capacity *= 2;
    this.#ids = new Uint32Array(this.#capacity * words);
    this.#taken = new Uint8Array(this.#capacity);
    for (let old = 0; old < before; old++) {
      if (taken[old] !== 1) continue;
      this.#wanted.set(ids.subarray(old * words, (old + 1) * words));
      const slot = this.#freeOrEqualSlot();
      this.#taken[slot] = 1;
      this.#ids.set(this.#wanted, slot * words);
    }
  }
}
