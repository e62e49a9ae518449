import { fstatSync } from 'node:fs';
import { type FileState, isSameState, stateOf } from './verified.ts';

const slots = 1024;
/** 32-bit words of a slot: lock, version, the number under which it is watched, an empty one, and four doubles of state. */
const slotWords = 12;
const lockWord = 0;
const versionWord = 1;
const numberWord = 2;
const stateWord = 4;

/** A thread that ended while it held a lock never gives it back. */
const longestWrite = 2000;

/** The memory of a `Custody`, to be shared by threads. */
export function custodyMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((slots * slotWords + 1) * 4);
}

/**
 * Watches over files that this process writes while it reads them. Each write changes the state of a file, and with it what
 * was verified before would be in doubt. So a write that finds the file as the last one left it keeps the file under the same number,
 * which stands for the state; one that does not, as somebody else has changed the file, gives it a new number.
 */
export class Custody {
  readonly #words: Int32Array;
  readonly #doubles = new Float64Array(4);
  readonly #halves = new Int32Array(this.#doubles.buffer);

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** The state with the number of the file in place of its times, when it is as this process left it. Never waits. */
  watched(state: FileState): FileState {
    const slot = slotOf(state);
    const words = this.#words;
    const version = Atomics.load(words, slot + versionWord);
    if (version % 2 !== 0 || !this.#isKnown(slot, state)) return state;
    const number = Atomics.load(words, slot + numberWord);
    return Atomics.load(words, slot + versionWord) === version ? { ...state, stamp: -number } : state;
  }

  /** Does what changes an open file; other threads that change it wait. @returns the state that it is left in. */
  change(file: number, write: () => void): FileState {
    const slot = slotOf(stateOf(fstatSync(file)));
    if (!this.#lock(slot)) {
      write();
      return stateOf(fstatSync(file));
    }
    try {
      const number = this.#isKnown(slot, stateOf(fstatSync(file)))
        ? Atomics.load(this.#words, slot + numberWord)
        : Atomics.add(this.#words, slots * slotWords, 1) + 1;
      Atomics.add(this.#words, slot + versionWord, 1);
      try {
        write();
      } finally {
        this.#remember(slot, number, stateOf(fstatSync(file)));
        Atomics.add(this.#words, slot + versionWord, 1);
      }
      return { ...this.#remembered(), stamp: -number };
    } finally {
      this.#unlock(slot);
    }
  }

  #isKnown(slot: number, state: FileState): boolean {
    for (let i = 0; i < 8; i++) this.#halves[i] = Atomics.load(this.#words, slot + stateWord + i);
    return isSameState(state, this.#remembered());
  }

  #remember(slot: number, number: number, { dev, ino, size, stamp }: FileState): void {
    Atomics.store(this.#words, slot + numberWord, number);
    this.#doubles.set([dev, ino, size, stamp]);
    for (let i = 0; i < 8; i++) Atomics.store(this.#words, slot + stateWord + i, this.#halves[i]!);
  }

  /** The state that was last read from shared memory, or put there. */
  #remembered(): FileState {
    const [dev, ino, size, stamp] = this.#doubles;
    return { dev: dev!, ino: ino!, size: size!, stamp: stamp! };
  }

  #lock(slot: number): boolean {
    const until = Date.now() + longestWrite;
    while (Atomics.compareExchange(this.#words, slot + lockWord, 0, 1) !== 0) {
      const left = until - Date.now();
      if (left <= 0) return false;
      Atomics.wait(this.#words, slot + lockWord, 1, left);
    }
    return true;
  }

  #unlock(slot: number): void {
    Atomics.store(this.#words, slot + lockWord, 0);
    Atomics.notify(this.#words, slot + lockWord, 1);
  }
}

function slotOf({ dev, ino }: FileState): number {
  return ((Math.imul(dev, 31) + ino) & (slots - 1)) * slotWords;
}
