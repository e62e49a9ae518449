import { existsSync } from 'node:fs';
import { FileCache } from '../cache/file-cache.ts';
import type { PlainFile } from '../cache/plain-file.ts';
import { plainFileAt } from '../cache/plain-file-at.ts';
import { shareCache } from '../cache/shared-cache.ts';
import { isZeroBlock, type ManifestColumns } from '../flist/manifest/manifest-columns.ts';
import { prefetchBlocks } from '../flist/manifest/prefetch-list.ts';
import { EqualBlocks, type PlacedBlock, placedBlock, placedBlocks } from '../flist/placed-blocks.ts';

/** What reading some files takes. Bytes are plain ones: what a store sends is compressed. */
export interface Need {
  /** Files of which something is read. */
  readonly files: number;
  /** Different blocks. Those of zeros are not among them: nobody fetches them. */
  readonly blocks: number;
  readonly bytes: number;
  /** Of these, what is in the cache. */
  readonly cachedBlocks: number;
  readonly cachedBytes: number;
  /** What has to be fetched: one request for each block. */
  readonly requests: number;
  readonly bytesToFetch: number;
}

export interface Forecast {
  /** To read every file to its end. */
  readonly everything: Need;
  /** To read what the flist says that is fetched ahead; absent when it says nothing. */
  readonly traced?: Need;
}

/** Whether a block seems to be in the cache. */
export type IsCached = (row: number, block: PlacedBlock) => boolean;

/** Looks into the cache in a directory. `initBlockCodec` must have been awaited. */
export function lookIntoCache(columns: ManifestColumns, directory: string): IsCached {
  if (!existsSync(directory)) return () => false;
  const cache = new FileCache(shareCache(directory), { warn: () => {} });
  let file: { readonly row: number; readonly plain: PlainFile } | undefined;
  return (row, { index }) => {
    if (file?.row !== row) file = { row, plain: plainFileAt(columns, row) };
    return cache.has(file.plain, index);
  };
}

/** Says what a mount will have to fetch, without a store. */
export function forecast(columns: ManifestColumns, isCached: IsCached): Forecast {
  const everything = needOf(columns, isCached, everyBlock(columns));
  if (columns.prefetch.length === 0) return { everything };
  return { everything, traced: needOf(columns, isCached, listedBlocks(columns)) };
}

type BlockOfFile = readonly [row: number, block: PlacedBlock];

function* everyBlock(columns: ManifestColumns): Generator<BlockOfFile> {
  let row = 0;
  for (const block of placedBlocks(columns)) {
    while (columns.blockStart[row + 1]! <= block.place) row++;
    yield [row, block];
  }
}

function* listedBlocks(columns: ManifestColumns): Generator<BlockOfFile> {
  for (const { row, index } of prefetchBlocks(columns)) yield [row, placedBlock(columns, row, index)];
}

function needOf(columns: ManifestColumns, isCached: IsCached, blocks: Iterable<BlockOfFile>): Need {
  const equal = new EqualBlocks([columns], 'id');
  const isRead = new Uint8Array(columns.ino.length);
  const need = { files: 0, blocks: 0, bytes: 0, cachedBlocks: 0, cachedBytes: 0 };
  for (const [row, block] of blocks) {
    if (isRead[row] === 0) need.files++;
    isRead[row] = 1;
    if (equal.firstLike(block) !== equal.numberOf(block) || isZeroBlock(columns, row, block.index)) continue;
    need.blocks++;
    need.bytes += block.size;
    if (!isCached(row, block)) continue;
    need.cachedBlocks++;
    need.cachedBytes += block.size;
  }
  return { ...need, requests: need.blocks - need.cachedBlocks, bytesToFetch: need.bytes - need.cachedBytes };
}
