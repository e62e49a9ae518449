import { encodeName } from '../../base/names.ts';
import {
  blockCountAt,
  childNamed,
  type ManifestColumns,
  plainSizeAt,
  rowOf,
  rowOfBlock,
} from '../manifest/manifest-columns.ts';
import type { PrefetchRange } from '../manifest/prefetch-list.ts';
import type { TraceTouch } from './trace-lines.ts';

/** Which blocks are kept of several mounts: those that more than half of the mounts read, that all did, or that any did. */
export const keeps = ['most', 'all', 'any'] as const;
export type Keep = (typeof keeps)[number];

/** What came of traces. */
export interface FoldCounts {
  /** Mounts that read something. */
  readonly mounts: number;
  /** Files and blocks to fetch ahead, and their plain bytes. */
  readonly files: number;
  readonly blocks: number;
  readonly bytes: number;
  /** Blocks that too few mounts read. */
  readonly dropped: number;
  /** Paths in the traces that the flist has not as files of that size. */
  readonly unknown: number;
}

export interface Fold {
  readonly prefetch: readonly PrefetchRange[];
  readonly counts: FoldCounts;
}

/** When a mount read a block for the first time. */
interface First {
  readonly ms: number;
  /** How many blocks it had read before: the order where the times are equal. */
  readonly rank: number;
}

/** Makes one order out of what mounts read. The order in which they are given does not matter. */
export class TraceFold {
  readonly #columns: ManifestColumns;
  /** By mount: the first reading of each block, by its place in `blockRefs`. */
  readonly #mounts = new Map<string, Map<number, First>>();
  readonly #rows = new Map<string, number | undefined>();
  readonly #unknown = new Set<string>();

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
  }

  /** @param mount whatever is another for each mount */
  take(mount: string, { path, first, last, ms }: TraceTouch): void {
    const row = this.#rowOf(path);
    const end = row === undefined ? 0 : blockCountAt(this.#columns, row);
    if (row === undefined || last >= end) this.#unknown.add(path);
    if (row === undefined) return;
    const firsts = this.#mounts.get(mount) ?? new Map<number, First>();
    this.#mounts.set(mount, firsts);
    const start = this.#columns.blockStart[row]!;
    for (let place = start + first; place < start + Math.min(last + 1, end); place++) {
      const before = firsts.get(place);
      if (before === undefined || ms < before.ms)
        firsts.set(place, { ms, rank: before?.rank ?? firsts.size });
    }
  }

  /**
   * The blocks that are kept, by the median of the times at which the mounts that read them did so (of an even number the
   * earlier of the two in the middle); neighbours in a file that follow each other are one range.
   */
  finish(keep: Keep): Fold {
    const mounts = [...this.#mounts.values()].filter((firsts) => firsts.size > 0);
    const seen = new Map<number, First[]>();
    for (const firsts of mounts)
      for (const [place, first] of firsts) seen.set(place, [...(seen.get(place) ?? []), first]);
    const least = keep === 'any' ? 1 : keep === 'all' ? mounts.length : Math.floor(mounts.length / 2) + 1;
    const kept = [...seen]
      .filter(([, firsts]) => firsts.length >= least)
      .map(([place, firsts]) => ({ place, ms: medianOf(firsts, 'ms'), rank: medianOf(firsts, 'rank') }))
      .sort((a, b) => a.ms - b.ms || a.rank - b.rank || a.place - b.place);
    const prefetch = this.#rangesOf(kept.map(({ place }) => place));
    const counts = { mounts: mounts.length, dropped: seen.size - kept.length, unknown: this.#unknown.size };
    return { prefetch, counts: { ...counts, ...this.#sizeOf(prefetch), blocks: kept.length } };
  }

  /** The row of a file; undefined when there is none of that path. */
  #rowOf(path: string): number | undefined {
    if (!this.#rows.has(path)) this.#rows.set(path, this.#find(path));
    return this.#rows.get(path);
  }

  #find(path: string): number | undefined {
    let row: number | undefined = 0;
    for (const name of path.split('/'))
      if (row !== undefined) row = childNamed(this.#columns, row, encodeName(name));
    return row;
  }

  #rangesOf(places: readonly number[]): PrefetchRange[] {
    const ranges: { ino: number; first: number; last: number }[] = [];
    const { ino, blockStart } = this.#columns;
    for (const place of places) {
      const row = rowOfBlock(this.#columns, place);
      const index = place - blockStart[row]!;
      const before = ranges.at(-1);
      if (before?.ino === ino[row] && before?.last === index - 1) before!.last = index;
      else ranges.push({ ino: ino[row]!, first: index, last: index });
    }
    return ranges;
  }

  #sizeOf(ranges: readonly PrefetchRange[]): { files: number; bytes: number } {
    let bytes = 0;
    for (const { ino, first, last } of ranges) {
      const row = rowOf(this.#columns.ino, ino)!;
      for (let index = first; index <= last; index++) bytes += plainSizeAt(this.#columns, row, index);
    }
    return { files: new Set(ranges.map(({ ino }) => ino)).size, bytes };
  }
}

/** Of an even number the lower of the two in the middle. */
function medianOf(firsts: readonly First[], what: keyof First): number {
  return firsts.map((first) => first[what]).sort((a, b) => a - b)[(firsts.length - 1) >> 1]!;
}
