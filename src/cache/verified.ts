import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { blockKey } from '../flist/block/block-codec.ts';

/** What a file was when it was looked at. Equal states mean: nobody has changed it in between. */
export interface FileState {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  /** `ctime` in milliseconds; or, negative, the number under which this process watches over a file that it writes itself. */
  readonly stamp: number;
}

export function stateOf({ dev, ino, size, ctimeMs }: Stats): FileState {
  return { dev, ino, size, stamp: ctimeMs };
}

export function isSameState(a: FileState, b: FileState): boolean {
  return a.ino === b.ino && a.stamp === b.stamp && a.size === b.size && a.dev === b.dev;
}

/** In place of the number of a block: all of the file. */
export const wholeFile = -1;

const ways = 8;
const seedSize = 16;
const keyEnd = seedSize + 64;

/** The memory of a set for so many entries, to be shared by threads: 8 bytes each, and a secret at the end. */
export function verifiedMemory(entries: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(entries * 8 + seedSize);
  randomBytes(seedSize).copy(Buffer.from(memory, entries * 8));
  return memory;
}

/**
 * What this process has hashed and found right: "in this state of the file, the block at this place has this key". Threads
 * share it without locks. Only digests are kept, made with a secret so that nobody can choose files that are confused; and
 * a full set forgets, which costs a second look and nothing else.
 */
export class Verified {
  readonly #slots: Int32Array;
  readonly #mask: number;
  /** Secret, key, and five numbers. */
  readonly #input: Buffer;

  constructor(memory: SharedArrayBuffer) {
    const bytes = memory.byteLength - seedSize;
    this.#slots = new Int32Array(memory, 0, bytes / 4);
    this.#mask = bytes / 8 / ways - 1;
    this.#input = Buffer.alloc(keyEnd + 5 * 8);
    Buffer.from(memory, bytes).copy(this.#input);
  }

  has(key: string, index: number, state: FileState): boolean {
    return this.#find(...this.#digest(key, index, state)) !== undefined;
  }

  add(key: string, index: number, state: FileState): void {
    const [low, high] = this.#digest(key, index, state);
    if (this.#find(low, high) !== undefined) return;
    const slot = this.#find(0, 0, low) ?? this.#slotAt(low, high & (ways - 1));
    this.#slots[slot] = low;
    this.#slots[slot + 1] = high;
  }

  delete(key: string, index: number, state: FileState): void {
    const slot = this.#find(...this.#digest(key, index, state));
    if (slot !== undefined) this.#slots.fill(0, slot, slot + 2);
  }

  /** The slot that holds a digest, among those that it may be in. */
  #find(low: number, high: number, place = low): number | undefined {
    for (let way = 0; way < ways; way++) {
      const slot = this.#slotAt(place, way);
      if (this.#slots[slot] === low && this.#slots[slot + 1] === high) return slot;
    }
    return undefined;
  }

  #slotAt(low: number, way: number): number {
    return ((low & this.#mask) * ways + way) * 2;
  }

  #digest(key: string, index: number, { dev, ino, size, stamp }: FileState): [low: number, high: number] {
    const input = this.#input;
    input.write(key, seedSize, 64, 'latin1');
    input.writeDoubleLE(index, keyEnd);
    input.writeDoubleLE(dev, keyEnd + 8);
    input.writeDoubleLE(ino, keyEnd + 16);
    input.writeDoubleLE(size, keyEnd + 24);
    input.writeDoubleLE(stamp, keyEnd + 32);
    const digest = blockKey(input);
    // Never zero, which is an empty slot.
    return [Number.parseInt(digest.slice(0, 8), 16) | 0, Number.parseInt(digest.slice(8, 16), 16) | 1];
  }
}
