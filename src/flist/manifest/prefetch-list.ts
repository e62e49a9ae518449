import type { GrowingArray, Numbers } from '../../base/growing-array.ts';
import { blockCountAt, type ManifestColumns, rowOf } from './manifest-columns.ts';
import { checkPrefetch, Violation } from './manifest-rules.ts';

/** Blocks of a file that are to be fetched before somebody asks for them. */
export interface PrefetchRange {
  readonly ino: number;
  /** Indexes of blocks in the file, from 0; both are in the range. */
  readonly first: number;
  readonly last: number;
}

/** Numbers in `ManifestColumns.prefetch` for each range: row, first and last block. */
const rangeSize = 3;

/** Puts a range behind the others of `ManifestColumns.prefetch`. @throws Violation when there is no such inode */
export function addRange(prefetch: GrowingArray<Uint32Array>, ino: Numbers, range: PrefetchRange): void {
  checkPrefetch(range);
  const row = rowOf(ino, range.ino);
  if (row === undefined) throw noFile(range.ino);
  prefetch.push(row);
  prefetch.push(range.first);
  prefetch.push(range.last);
}

/** What is to be fetched ahead, in this order. */
export function* prefetchRanges({ ino, prefetch }: ManifestColumns): Generator<PrefetchRange> {
  for (let at = 0; at < prefetch.length; at += rangeSize)
    yield { ino: ino[prefetch[at]!]!, first: prefetch[at + 1]!, last: prefetch[at + 2]! };
}

/** As `prefetchRanges`, with rows in place of inode numbers. */
export function* prefetchRows({ prefetch }: ManifestColumns) {
  for (let at = 0; at < prefetch.length; at += rangeSize)
    yield { row: prefetch[at]!, first: prefetch[at + 1]!, last: prefetch[at + 2]! };
}

/** Each block that is to be fetched ahead, in order. */
export function* prefetchBlocks(columns: ManifestColumns): Generator<{ row: number; index: number }> {
  for (const { row, first, last } of prefetchRows(columns))
    for (let index = first; index <= last; index++) yield { row, index };
}

/** Checks that every block that is to be fetched ahead is there, and named once: so the list is no longer than the files. @throws Violation */
export function checkPrefetchList(columns: ManifestColumns): void {
  const { ino, blockStart, prefetch } = columns;
  if (prefetch.length === 0) return;
  const isNamed = new Uint8Array(blockStart.at(-1)!);
  for (const { row, first, last } of prefetchRows(columns)) {
    if (last >= blockCountAt(columns, row)) throw noFile(ino[row]!);
    const start = blockStart[row]!;
    for (let place = start + first; place <= start + last; place++) {
      if (isNamed[place]) throw new Violation(`blocks of inode ${ino[row]} are to be fetched ahead twice`);
      isNamed[place] = 1;
    }
  }
}

function noFile(ino: number): Violation {
  return new Violation(`inode ${ino} has not the blocks that are to be fetched ahead`);
}
