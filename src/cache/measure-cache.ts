import { parseMap } from './block-map.ts';
import type { CacheDirectory } from './cache-directory.ts';
import { quiet, readWhole } from './cache-files.ts';
import { type CacheEntry, entriesOf, pagesOnDisk, shardsOf } from './cache-walk.ts';
import { heldNames } from './holds.ts';
import { Journal, pageSize } from './journal.ts';
import { type NameTable, shortName } from './name-table.ts';
import { pinnedNames, readPins } from './pins.ts';
import { readPosition } from './scrub.ts';

/** Files of one kind: how many, and their bytes on the disk. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

/** What is in a cache. */
export interface CacheMeasure {
  /** Everything that can be evicted or may not be. */
  readonly total: Amount;
  /** Blocks by themselves, which small files are too. */
  readonly blocks: Amount;
  readonly whole: Amount;
  readonly parts: Amount & { readonly blocks: number; readonly ofBlocks: number };
  /** What interrupted writes left, and what does not belong there. */
  readonly other: Amount;
  /** What may not be evicted. */
  readonly pinned: Amount;
  readonly held: Amount;
  /** The flists that are pinned. */
  readonly pins: readonly string[];
  /** Times of the uses that are longest ago and last, in seconds since the epoch; undefined when it is empty. */
  readonly oldestUse: number | undefined;
  readonly newestUse: number | undefined;
  /** When the last scrub or the one under way began, and whether it has come to its end. */
  readonly scrub: { readonly began: number; readonly ended: number } | undefined;
}

/** Looks at every file of a cache, but not into it. @throws what the system says. */
export function measureCache(directory: CacheDirectory): CacheMeasure {
  const uses = new Journal(directory).uses();
  const pins = readPins(directory);
  const [pinned, held] = [pinnedNames(pins), heldNames(directory)];
  const sums = {
    total: sum(),
    blocks: sum(),
    whole: sum(),
    parts: sum(),
    other: sum(),
    pinned: sum(),
    held: sum(),
  };
  const partial = { blocks: 0, ofBlocks: 0 };
  let [oldest, newest]: [number | undefined, number | undefined] = [undefined, undefined];
  for (const shard of shardsOf(directory))
    for (const entry of entriesOf(directory, shard)) {
      const { kind, name, stats } = entry;
      const bytes = pagesOnDisk(stats) * pageSize;
      if (kind === 'map') {
        add(sums.total, bytes, 0);
        continue;
      }
      const of = {
        block: sums.blocks,
        whole: sums.whole,
        part: sums.parts,
        temporary: sums.other,
        unknown: sums.other,
      };
      add(of[kind], bytes);
      if (kind === 'temporary' || kind === 'unknown') continue;
      add(sums.total, bytes);
      if (isIn(pinned, name)) add(sums.pinned, bytes);
      if (isIn(held, name)) add(sums.held, bytes);
      if (kind === 'part') countBlocks(directory, entry, partial);
      const use = Math.max(uses.get(shortName(name)), Math.floor(stats.mtimeMs / 1000));
      oldest = Math.min(oldest ?? use, use);
      newest = Math.max(newest ?? use, use);
    }
  const { began, ended } = readPosition(directory);
  return {
    ...sums,
    parts: { ...sums.parts, ...partial },
    pins: pins.map(({ flist }) => flist),
    oldestUse: oldest,
    newestUse: newest,
    scrub: began === 0 ? undefined : { began, ended },
  };
}

const sum = () => ({ files: 0, bytes: 0 });

function add(to: { files: number; bytes: number }, bytes: number, files = 1): void {
  to.files += files;
  to.bytes += bytes;
}

const isIn = (names: NameTable, name: string) => names.get(shortName(name)) !== 0;

function countBlocks(
  directory: CacheDirectory,
  { shard, name }: CacheEntry,
  to: { blocks: number; ofBlocks: number },
) {
  const map = quiet(() =>
    directory.within(shard, false, (path) => parseMap(readWhole(`${path}/${name}.map`), name)),
  );
  to.ofBlocks += map?.keys.length ?? 0;
  to.blocks += map?.flags.filter((flag) => flag === 1).length ?? 0;
}
