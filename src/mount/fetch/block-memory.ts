import { type ManifestColumns, sameBlockAt } from '../../flist/manifest/manifest-columns.ts';

/** Slots of one size. Small files are many, so they get many small slots. */
const slotClasses = [
  { size: 16 << 10, count: 256 },
  { size: 64 << 10, count: 128 },
  { size: 512 << 10, count: 40 },
] as const;

const slotCount = slotClasses.reduce((sum, { count }) => sum + count, 0);
const dataSize = slotClasses.reduce((sum, { size, count }) => sum + size * count, 0);
/** Places in the table that finds slots; a power of two, several times the slots. */
const tableSize = 4096;

/** The words of a slot. */
const word = {
  /** -1 while the slot is empty or being filled, else the number of those who read it. */
  lock: 0,
  place: 1,
  size: 2,
  /** 1 when the main thread waits for the block. */
  awaited: 3,
  /** 1 when the first use of the block shall be told. */
  marked: 4,
  used: 5,
} as const;
const wordsPerSlot = 8;

/** What crosses threads. */
export interface SharedBlockMemory {
  readonly data: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
}

/** The number of a slot. */
export type Slot = number;

/**
 * Plain, checked blocks in memory that all threads of a mount share, so that one thread makes a block plain and another
 * answers the kernel with it. 32 MiB at most, and only what was ever used. This is the side of any thread; the main thread
 * alone says what lies where (`BlockMemoryOwner`).
 */
export class BlockMemory {
  readonly #columns: ManifestColumns;
  readonly #slots: readonly Buffer[];
  readonly #words: Int32Array;
  readonly #table: Int32Array;

  constructor(shared: SharedBlockMemory, columns: ManifestColumns) {
    this.#columns = columns;
    this.#slots = slotsOf(shared);
    this.#words = new Int32Array(shared.control, 0, slotCount * wordsPerSlot);
    this.#table = new Int32Array(shared.control, slotCount * wordsPerSlot * 4, tableSize);
  }

  static share(): SharedBlockMemory {
    return {
      data: new SharedArrayBuffer(dataSize),
      control: new SharedArrayBuffer((slotCount * wordsPerSlot + tableSize) * 4),
    };
  }

  /** Finds the block of a place with that size and keeps it from being replaced until `unpin`; undefined when it is not here. */
  pin(place: number, size: number): Slot | undefined {
    const slot = Atomics.load(this.#table, hashOf(place)) - 1;
    if (slot < 0 || !this.#enter(slot)) return undefined;
    const at = slot * wordsPerSlot;
    const found = this.#words[at + word.place]!;
    if (this.#words[at + word.size] === size && (found === place || sameBlockAt(this.#columns, found, place)))
      return slot;
    this.unpin(slot);
    return undefined;
  }

  unpin(slot: Slot): void {
    Atomics.sub(this.#words, slot * wordsPerSlot + word.lock, 1);
  }

  /** The bytes of the block in a slot that is pinned or being filled. */
  bytes(slot: Slot): Buffer {
    return this.#slots[slot]!.subarray(0, this.#words[slot * wordsPerSlot + word.size]!);
  }

  /** Notes that a pinned block was read; true for the first use of a block that is marked. */
  use(slot: Slot): boolean {
    const at = slot * wordsPerSlot;
    if (this.#words[at + word.used] === 0) Atomics.store(this.#words, at + word.used, 1);
    return this.#words[at + word.marked] === 1 && Atomics.exchange(this.#words, at + word.marked, 0) === 1;
  }

  /** The one that fills a slot gives it to all, pinned by himself. Returns whether the main thread waits for it. */
  publish(slot: Slot): boolean {
    const at = slot * wordsPerSlot;
    Atomics.store(this.#words, at + word.lock, 1);
    return Atomics.load(this.#words, at + word.awaited) === 1;
  }

  #enter(slot: Slot): boolean {
    const at = slot * wordsPerSlot + word.lock;
    for (;;) {
      const readers = Atomics.load(this.#words, at);
      if (readers < 0) return false;
      if (Atomics.compareExchange(this.#words, at, readers, readers + 1) === readers) return true;
    }
  }
}

/** What to put into a slot. */
export interface Placement {
  readonly place: number;
  readonly size: number;
  /** Whether it is there for a reader who has not asked yet: it is kept until it is used, while that is possible. */
  readonly isAhead: boolean;
  /** Whether it may take the place of a block that was not used yet. */
  readonly mayDisplace: boolean;
  readonly isMarked: boolean;
}

export interface OwnerEvents<Occupant> {
  /** Whether a block must stay in its slot although nobody reads it now. */
  readonly isWanted: (occupant: Occupant, slot: Slot) => boolean;
  /** A block is no longer in its slot. */
  readonly onEvict: (occupant: Occupant, wasUsed: boolean) => void;
}

/** The side of the main thread: which block lies in which slot. `Occupant` is what it knows of a block. */
export class BlockMemoryOwner<Occupant> {
  readonly #words: Int32Array;
  readonly #table: Int32Array;
  readonly #occupants: (Occupant | undefined)[] = [];
  /** By class: where the search for a slot goes on; slots are used in turn. */
  readonly #hands: number[] = [];
  readonly #events: OwnerEvents<Occupant>;

  constructor({ control }: SharedBlockMemory, events: OwnerEvents<Occupant>) {
    this.#words = new Int32Array(control, 0, slotCount * wordsPerSlot);
    this.#table = new Int32Array(control, slotCount * wordsPerSlot * 4, tableSize);
    this.#events = events;
    for (let slot = 0; slot < slotCount; slot++) {
      this.#words[slot * wordsPerSlot + word.lock] = -1;
      this.#words[slot * wordsPerSlot + word.used] = 1;
    }
    let first = 0;
    for (const { count } of slotClasses) {
      this.#hands.push(first);
      first += count;
    }
  }

  /**
   * A slot to fill. What is there and was used goes first, in the order in which it came.
   * @returns undefined when there is none at the moment
   */
  allocate(occupant: Occupant, placement: Placement): Slot | undefined {
    const { place, size, isAhead, isMarked, mayDisplace } = placement;
    const slot = this.#free(size, true) ?? (mayDisplace ? this.#free(size, false) : undefined);
    if (slot === undefined) return undefined;
    const before = this.#occupants[slot];
    const at = slot * wordsPerSlot;
    if (before !== undefined) this.#events.onEvict(before, this.#words[at + word.used] === 1);
    this.#occupants[slot] = occupant;
    this.#words[at + word.place] = place;
    this.#words[at + word.size] = size;
    this.#words[at + word.awaited] = 0;
    this.#words[at + word.marked] = isMarked ? 1 : 0;
    Atomics.store(this.#words, at + word.used, isAhead ? 0 : 1);
    Atomics.store(this.#table, hashOf(place), slot + 1);
    return slot;
  }

  /** Lets a further place, with an equal block, be found in a slot. */
  alsoAt(place: number, slot: Slot): void {
    Atomics.store(this.#table, hashOf(place), slot + 1);
  }

  /** Asks to be told when the slot is filled. Returns whether it is already. */
  await(slot: Slot): boolean {
    const at = slot * wordsPerSlot;
    Atomics.store(this.#words, at + word.awaited, 1);
    return Atomics.load(this.#words, at + word.lock) >= 0;
  }

  /** Gives up a slot that was not filled. One that was filled after all stays as it is. */
  abandon(slot: Slot): void {
    const at = slot * wordsPerSlot;
    if (Atomics.load(this.#words, at + word.lock) !== -1) return;
    this.#occupants[slot] = undefined;
    this.#words[at + word.place] = -1;
    Atomics.store(this.#words, at + word.used, 1);
  }

  /** Takes a slot of the class for a size: empty, or with a block that nobody reads, and that was used if that is asked. */
  #free(size: number, usedOnly: boolean): Slot | undefined {
    const index = slotClasses.findIndex((one) => size <= one.size);
    const { count } = slotClasses[index]!;
    const first = slotClasses.slice(0, index).reduce((sum, one) => sum + one.count, 0);
    const hand = this.#hands[index]!;
    for (let i = 0; i < count; i++) {
      const slot = first + ((hand - first + i) % count);
      const at = slot * wordsPerSlot;
      if (usedOnly && Atomics.load(this.#words, at + word.used) === 0) continue;
      const occupant = this.#occupants[slot];
      if (occupant !== undefined && this.#events.isWanted(occupant, slot)) continue;
      if (occupant !== undefined && Atomics.compareExchange(this.#words, at + word.lock, 0, -1) !== 0)
        continue;
      this.#hands[index] = first + ((slot - first + 1) % count);
      return slot;
    }
    return undefined;
  }
}

function slotsOf({ data }: SharedBlockMemory): Buffer[] {
  const slots: Buffer[] = [];
  let at = 0;
  for (const { size, count } of slotClasses)
    for (let i = 0; i < count; i++, at += size) slots.push(Buffer.from(data, at, size));
  return slots;
}

function hashOf(place: number): number {
  return Math.imul(place, 0x9e3779b1) >>> 20; // 12 bits, for `tableSize`
}
