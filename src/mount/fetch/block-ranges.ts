import { blockSize } from '../../flist/block/block-codec.ts';
import { type ManifestColumns, plainSizeAt } from '../../flist/manifest/manifest-columns.ts';

/** One block of one file. */
export interface FileBlock {
  /** The row of the file in the manifest's columns. */
  readonly row: number;
  /** Its number in the file, from 0. */
  readonly index: number;
  /** Its place among all blocks of the manifest. */
  readonly place: number;
  /** Plain bytes. */
  readonly size: number;
}

/** Bytes `start` up to `end` of a block: a part of what a READ asks for. */
export interface BlockRange extends FileBlock {
  readonly start: number;
  readonly end: number;
}

/** A block of a file; undefined when the manifest has too few of them for its size. */
export function fileBlockAt(columns: ManifestColumns, row: number, index: number): FileBlock | undefined {
  const place = columns.blockStart[row]! + index;
  if (place >= columns.blockStart[row + 1]!) return undefined;
  return { row, index, place, size: plainSizeAt(columns, row, index) };
}

/** The parts of blocks that make up these bytes of a file; undefined when the manifest has too few blocks for them. */
export function blockRanges(
  columns: ManifestColumns,
  row: number,
  offset: number,
  size: number,
): BlockRange[] | undefined {
  const fileEnd = Math.min(offset + size, columns.size[row]!);
  const ranges: BlockRange[] = [];
  for (let at = offset; at < fileEnd; ) {
    const index = Math.floor(at / blockSize);
    const block = fileBlockAt(columns, row, index);
    if (block === undefined) return undefined;
    const blockStart = index * blockSize;
    const end = Math.min(fileEnd - blockStart, block.size);
    ranges.push({ ...block, start: at - blockStart, end });
    at = blockStart + end;
  }
  return ranges;
}

/** The block at a place among all blocks of the manifest. */
export function fileBlockOfPlace(columns: ManifestColumns, place: number): FileBlock {
  const { blockStart } = columns;
  let [low, high] = [0, blockStart.length - 2]; // the last row that starts at the place or before it
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (blockStart[middle]! <= place) low = middle;
    else high = middle - 1;
  }
  const index = place - blockStart[low]!;
  return { row: low, index, place, size: plainSizeAt(columns, low, index) };
}
