import { lstatSync, rmdirSync, unlinkSync } from 'node:fs';
import type { CacheDirectory } from './cache-directory.ts';
import { quiet, removeFile } from './cache-files.ts';
import { type CacheEntry, entriesOf, pagesOnDisk, shardsOf } from './cache-walk.ts';
import { heldNames } from './holds.ts';
import { EncodedRecords, type Journal, pageSize } from './journal.ts';
import { type NameTable, shortName } from './name-table.ts';
import { pinnedNames, readPins } from './pins.ts';
import type { Turn } from './turn.ts';
import { secondsNow } from './uses.ts';

/** What eviction did. Sizes are those on the disk, in bytes. */
export interface Eviction {
  /** The size of the cache before. */
  readonly before: number;
  readonly after: number;
  /** Files that were removed. */
  readonly files: number;
  /** What is left and may not be removed: it is pinned, or held open. */
  readonly kept: number;
}

export interface EvictOptions {
  /** Bytes that the cache may have afterwards. */
  readonly target: number;
  readonly turn: Turn;
  /** Called now and then, with the number of files that were looked at. */
  readonly onProgress?: (files: number) => void;
}

/** Seconds after which what an interrupted write left, or one half of a part and its map, may be removed. */
const leftoverAge = 3600;

/** What a look at all files finds. */
interface Survey {
  /** Pages of everything. */
  pages: number;
  /** Pages that may not be removed. */
  keptPages: number;
  /** Pages that may be, by the second of their last use. */
  readonly byUse: Map<number, number>;
  /** What is still to be known of uses. */
  readonly uses: EncodedRecords;
}

/**
 * Removes files that were not used for longest until the cache has `target` bytes, and what interrupted writes left; never what is pinned or
 * held open. May run beside anything, also beside itself: who reads a file that is removed has it until it is closed, and who
 * looks for it then has a miss. Writes the journal anew.
 * @throws what the system says, when the cache cannot be written.
 */
export async function evict(
  directory: CacheDirectory,
  journal: Journal,
  { target, turn, onProgress }: EvictOptions,
): Promise<Eviction> {
  const uses = journal.uses();
  const pinned = pinnedNames(readPins(directory));
  const held = heldNames(directory);
  const lastUse = ({ name, stats }: CacheEntry) =>
    Math.max(uses.get(shortName(name)), Math.floor(stats.mtimeMs / 1000));
  const isKept = ({ name }: CacheEntry) => isIn(pinned, name) || isIn(held, name);

  const survey: Survey = { pages: 0, keptPages: 0, byUse: new Map(), uses: new EncodedRecords() };
  let looked = 0;
  for (const shard of shardsOf(directory)) {
    survey.pages += quiet(() => pagesOnDisk(lstatSync(`${directory.path}/${shard.join('/')}`))) ?? 0;
    const entries = entriesOf(directory, shard);
    for (const entry of entries) {
      const pages = pagesOnDisk(entry.stats);
      survey.pages += pages;
      const use = uses.get(shortName(entry.name));
      if (use > 0) survey.uses.add({ name: shortName(entry.name), time: use, pages: 0 });
      if (isLeftover(entry, entries)) continue;
      if (isKept(entry)) survey.keptPages += pages;
      else if (isEvictable(entry)) add(survey.byUse, lastUse(entry), pages);
    }
    onProgress?.(++looked);
    await turn();
  }
  const surplus = survey.pages - Math.floor(target / pageSize);
  const limit = limitOf(survey.byUse, surplus);

  let [freed, files] = [0, 0];
  for (const shard of shardsOf(directory)) {
    const entries = entriesOf(directory, shard);
    let gone = 0;
    for (const entry of entries) {
      const goes =
        isLeftover(entry, entries) ||
        (isEvictable(entry) &&
          !isKept(entry) &&
          freed < surplus &&
          lastUse(entry) <= limit &&
          !isHeldNow(directory, entry));
      if (!goes || !remove(directory, entry)) continue;
      gone++;
      await turn(); // a disk may take a millisecond for each
      for (const { kind, name, stats } of entries)
        if (name === entry.name && (kind === entry.kind || kind === 'map')) freed += pagesOnDisk(stats);
    }
    files += gone;
    if (gone > 0 || entries.length === 0) freed += removeEmpty(`${directory.path}/${shard.join('/')}`);
    await turn();
  }
  journal.replace(survey.pages - freed, survey.uses);
  return {
    before: survey.pages * pageSize,
    after: (survey.pages - freed) * pageSize,
    files,
    kept: survey.keptPages * pageSize,
  };
}

const isIn = (names: NameTable, name: string) => names.get(shortName(name)) !== 0;

const isEvictable = ({ kind }: CacheEntry) => kind === 'block' || kind === 'whole' || kind === 'part';

/** What an interrupted write left: what was to get another name, and a map whose file is gone. */
function isLeftover({ kind, name, stats }: CacheEntry, beside: readonly CacheEntry[]): boolean {
  if (secondsNow() - stats.mtimeMs / 1000 < leftoverAge) return false;
  if (kind === 'map') return !beside.some((other) => other.kind !== 'map' && other.name === name);
  return kind === 'temporary';
}

/** A file may have been opened since the list of those that are held was read. Only for large ones that matters. */
function isHeldNow(directory: CacheDirectory, { kind, name }: CacheEntry): boolean {
  return kind === 'whole' && isIn(heldNames(directory), name);
}

function add(byUse: Map<number, number>, second: number, pages: number): void {
  byUse.set(second, (byUse.get(second) ?? 0) + pages);
}

/** The second up to which all that was last used has to go so that so many pages are freed. */
function limitOf(byUse: ReadonlyMap<number, number>, surplus: number): number {
  let left = surplus;
  for (const second of [...byUse.keys()].sort((a, b) => a - b)) {
    if (left <= 0) break;
    left -= byUse.get(second)!;
    if (left <= 0) return second;
  }
  return surplus > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** @returns how many pages that frees. */
function removeEmpty(path: string): number {
  const pages = quiet(() => pagesOnDisk(lstatSync(path)));
  return (
    quiet(() => {
      rmdirSync(path);
      return pages;
    }) ?? 0
  );
}

function remove(directory: CacheDirectory, { kind, name, fileName, shard }: CacheEntry): boolean {
  return (
    quiet(() =>
      directory.within(shard, false, (path) => {
        if (kind === 'block' || kind === 'whole' || kind === 'part') removeFile(path, { kind, name });
        else unlinkSync(`${path}/${fileName}`);
        return true;
      }),
    ) ?? false
  );
}
