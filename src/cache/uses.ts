import { type ShortName, shortName } from './name-table.ts';

const slots = 1 << 16;
const ways = 4;
const slotWords = 3;

export function usesMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * slotWords * 4);
}

/** Seconds since the epoch. */
export function secondsNow(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * When files of the cache were last used by this process, as its threads noted it. They share the memory without locks, and what
 * does not fit is forgotten: then a file counts as unused a little longer.
 */
export class Uses {
  readonly #words: Uint32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Uint32Array(memory);
  }

  /** @param time in seconds since the epoch */
  note(name: string, time: number): void {
    const [high, low] = shortName(name);
    const first = (low & (slots / ways - 1)) * ways;
    let place = (first + (high % ways)) * slotWords;
    for (let way = 0; way < ways; way++) {
      const slot = (first + way) * slotWords;
      if (this.#words[slot + 2] === 0 || (this.#words[slot] === high && this.#words[slot + 1] === low)) {
        place = slot;
        break;
      }
    }
    this.#words[place] = high;
    this.#words[place + 1] = low;
    this.#words[place + 2] = time;
  }

  /** Uses at or after a time. */
  *since(time: number): Generator<{ readonly name: ShortName; readonly time: number }> {
    for (let slot = 0; slot < this.#words.length; slot += slotWords) {
      const used = this.#words[slot + 2]!;
      if (used !== 0 && used >= time)
        yield { name: [this.#words[slot]!, this.#words[slot + 1]!], time: used };
    }
  }
}
