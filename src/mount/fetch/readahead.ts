import { isZeroBlock, type ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { type FileBlock, fileBlockAt } from './block-ranges.ts';

/**
 * Most blocks, and most bytes, that are fetched ahead at one time for one reader. Three times as much may be ahead of him, which has to
 * have room in the memory for blocks: what has none is not fetched ahead at all.
 */
const largestWindow = 64;
const largestWindowBytes = 4 << 20;

/** Readers that are told apart. */
const mostStreams = 64;

/** How far from where it is expected a READ may be and still belong to a reader: several processes may read side by side. */
const leeway = 4;

/** How many times in turn a reader must go on to the next file before files that he has not begun are fetched. */
const filesOfScan = 2;

/** A reader who goes through blocks in the order of the manifest. */
interface Stream {
  /** The last place that was read, and its row. */
  at: number;
  row: number;
  /** The first place that is not wanted yet, and the row that it is in or after. */
  end: number;
  endRow: number;
  /** Blocks that were wanted ahead last. */
  window: number;
  /** How often he went on to another file. */
  files: number;
}

/**
 * Knows readers by what they read and says what they will want. The blocks of a manifest lie in the order of its files, so
 * reading a large file and reading one small file after another are the same: the next places. Who jumps gets nothing.
 */
export class Readahead {
  readonly #columns: ManifestColumns;
  /** The one who read last is last. */
  readonly #streams: Stream[] = [];

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
  }

  /** A READ wants the block at a place. Returns what is to be fetched ahead of its reader, in order. */
  touch(row: number, place: number): readonly FileBlock[] {
    const known = this.#streams.findLastIndex(({ at, end }) => place >= at - leeway && place <= end + leeway);
    if (known < 0) {
      if (this.#streams.length === mostStreams) this.#streams.shift();
      this.#streams.push({ at: place, row, end: place + 1, endRow: row, window: 1, files: 0 });
      return [];
    }
    const [stream] = this.#streams.splice(known, 1) as [Stream];
    this.#streams.push(stream);
    if (place <= stream.at) return [];
    if (row !== stream.row) stream.files++;
    stream.at = place;
    stream.row = row;
    if (place >= stream.end) {
      stream.end = place + 1;
      stream.endRow = row;
    }
    return stream.end - 1 - place <= stream.window ? this.#extend(stream) : [];
  }

  #extend(stream: Stream): FileBlock[] {
    const { blockStart } = this.#columns;
    const isScan = stream.files >= filesOfScan;
    const most = Math.min(stream.window * 2, largestWindow);
    const blocks: FileBlock[] = [];
    let bytes = 0;
    while (blocks.length < most && bytes < largestWindowBytes) {
      while (blockStart[stream.endRow + 1]! <= stream.end && stream.endRow + 2 < blockStart.length)
        stream.endRow++;
      if (stream.endRow !== stream.row && !isScan) break;
      const index = stream.end - blockStart[stream.endRow]!;
      const block = fileBlockAt(this.#columns, stream.endRow, index);
      if (block === undefined) break; // the end of the manifest
      stream.end++;
      if (isZeroBlock(this.#columns, stream.endRow, index)) continue;
      blocks.push(block);
      bytes += block.size;
    }
    stream.window = Math.max(blocks.length, 1);
    return blocks;
  }
}
