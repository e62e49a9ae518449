import type { ManifestColumns } from '../flist/manifest/manifest-columns.ts';

/** What the threads of a mount share to note first touches in: each block has its place, so nothing ever overflows. */
export interface TraceNotes {
  /** Milliseconds since the epoch, of which notes count theirs. */
  readonly mounted: number;
  /** A bit for each place of `blockRefs`: whether it was touched. */
  readonly touched: Int32Array;
  /** How many notes there are, or are just being made. */
  readonly count: Int32Array;
  /** By note: the place of the block + 1; 0 while the note is being made. */
  readonly places: Int32Array;
  /** By note: milliseconds since the mount. */
  readonly times: Uint32Array;
}

/** @param mounted when the flist was mounted, in milliseconds since the epoch */
export function makeTraceNotes({ blockStart }: ManifestColumns, mounted: number): TraceNotes {
  const blocks = blockStart.at(-1)!;
  const words = (count: number) => new SharedArrayBuffer(count * 4);
  return {
    mounted,
    touched: new Int32Array(words(Math.ceil(blocks / 32))),
    count: new Int32Array(words(1)),
    places: new Int32Array(words(blocks)),
    times: new Uint32Array(words(blocks)),
  };
}

/** Notes first touches of blocks. For any thread; waits for nothing and allocates nothing. */
export class TraceRecorder {
  readonly #notes: TraceNotes;
  readonly #blockStart: Uint32Array;

  constructor(notes: TraceNotes, { blockStart }: ManifestColumns) {
    this.#notes = notes;
    this.#blockStart = blockStart;
  }

  /**
   * Blocks of the file in a row are being read.
   * @param first index of a block in the file
   * @param last that of the last one; what the file has not is passed over
   */
  touch(row: number, first: number, last: number): void {
    const start = this.#blockStart[row]!;
    const end = Math.min(start + last + 1, this.#blockStart[row + 1]!);
    for (let place = start + first; place < end; place++) if (!this.#isTouched(place)) this.#note(place);
  }

  /** Says whether it was, and that it is. */
  #isTouched(place: number): boolean {
    const { touched } = this.#notes;
    const bit = 1 << (place & 31);
    if ((touched[place >>> 5]! & bit) !== 0) return true;
    return (Atomics.or(touched, place >>> 5, bit) & bit) !== 0;
  }

  #note(place: number): void {
    const { count, places, times, mounted } = this.#notes;
    const note = Atomics.add(count, 0, 1);
    times[note] = Math.max(Date.now() - mounted, 0);
    Atomics.store(places, note, place + 1);
  }
}
