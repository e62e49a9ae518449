/** One block: its key, its id, the next block of its chain, and its state. */
const idAt = 32;
const nextAt = 64;
const stateAt = 68;
const entrySize = 72;

/** The memory that threads share; a part of it is used when it is needed. */
export interface SharedBlocks {
  /** For each chain its first block, as place + 1; 0 for none. */
  readonly chains: SharedArrayBuffer;
  /** The blocks, and before them one number: how many there are. */
  readonly blocks: SharedArrayBuffer;
}

/** Few, so that a small pack touches little memory: a million blocks have chains of eight. */
const chainCount = 1 << 17;
const headerSize = 64;
/** Memory is taken in steps of so many bytes. */
const growth = 1 << 20;
/** Address space, not memory: room for 29 million blocks, 14 TiB of distinct bytes. */
const mostBytes = 2 ** 31;

const claimed = 0;
const stored = 1;

/**
 * The blocks that a pack has met, by their keys, in 72 bytes each: a hash table with chains that every thread reads and adds to
 * without a lock. A block has a place, which never changes; who adds it sees to it that it is encoded and stored.
 */
export class BlockTable {
  readonly shared: SharedBlocks;
  readonly #chains: Int32Array;
  #bytes: Uint8Array;
  #words: Int32Array;

  constructor(shared: SharedBlocks = newTable()) {
    this.shared = shared;
    this.#chains = new Int32Array(shared.chains);
    [this.#bytes, this.#words] = views(shared.blocks);
  }

  get size(): number {
    return Atomics.load(this.#words, 0);
  }

  /**
   * The place of the block with that key, which is added when it is new.
   * @returns the place, and whether this call added it
   */
  add(key: Uint8Array): { place: number; isNew: boolean } {
    const chain = (key[0]! | (key[1]! << 8) | (key[2]! << 16)) & (chainCount - 1);
    let first = Atomics.load(this.#chains, chain);
    const found = this.#find(key, first, 0);
    if (found !== undefined) return { place: found, isNew: false };
    const place = Atomics.add(this.#words, 0, 1);
    const at = this.#at(place);
    this.#bytes.set(key, at);
    for (;;) {
      this.#words[(at + nextAt) / 4] = first;
      const before = Atomics.compareExchange(this.#chains, chain, first, place + 1);
      if (before === first) return { place, isNew: true };
      // Another thread was faster; its block may be the same one, and then this place stays unused.
      const same = this.#find(key, before, first);
      if (same !== undefined) return { place: same, isNew: false };
      first = before;
    }
  }

  setId(place: number, id: Uint8Array): void {
    const at = this.#at(place);
    this.#bytes.set(id, at + idAt);
  }

  /** To be called when the block is in its store. */
  setStored(place: number): void {
    const at = this.#at(place);
    Atomics.store(this.#words, (at + stateAt) / 4, stored);
  }

  isStored(place: number): boolean {
    const at = this.#at(place);
    return Atomics.load(this.#words, (at + stateAt) / 4) !== claimed;
  }

  /** Key and id as hex digits. */
  ref(place: number): { id: string; key: string } {
    const at = this.#at(place);
    const hex = Buffer.from(this.shared.blocks, at, nextAt).toString('hex');
    return { id: hex.slice(idAt * 2), key: hex.slice(0, idAt * 2) };
  }

  #find(key: Uint8Array, first: number, end: number): number | undefined {
    for (let link = first; link !== end; ) {
      const at = this.#at(link - 1);
      if (this.#hasKey(at, key)) return link - 1;
      link = this.#words[(at + nextAt) / 4]!;
    }
    return undefined;
  }

  #hasKey(at: number, key: Uint8Array): boolean {
    for (let i = 0; i < key.length; i++) if (this.#bytes[at + i] !== key[i]) return false;
    return true;
  }

  /** Where a place begins, with memory behind it. To be called before `#bytes` and `#words` are taken: it may put larger ones there. */
  #at(place: number): number {
    const at = headerSize + place * entrySize;
    if (at + entrySize > this.#bytes.length) this.#grow(at + entrySize);
    return at;
  }

  #grow(needed: number): void {
    const { blocks } = this.shared;
    for (;;) {
      try {
        if (blocks.byteLength < needed) blocks.grow(Math.ceil(needed / growth) * growth);
        break;
      } catch (error) {
        // Another thread may have made it larger than this one wanted to.
        if (blocks.byteLength < needed) throw error;
      }
    }
    [this.#bytes, this.#words] = views(blocks);
  }
}

function newTable(): SharedBlocks {
  return {
    chains: new SharedArrayBuffer(chainCount * 4),
    blocks: new SharedArrayBuffer(growth, { maxByteLength: mostBytes }),
  };
}

/** Of a fixed length, which is faster than views that follow the buffer. */
function views(blocks: SharedArrayBuffer): [Uint8Array, Int32Array] {
  const { byteLength } = blocks;
  return [new Uint8Array(blocks, 0, byteLength), new Int32Array(blocks, 0, Math.floor(byteLength / 4))];
}
