import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { blockShard, type CacheDirectory, type Shard } from './cache-directory.ts';
import { quiet } from './cache-files.ts';
import { pageSize } from './journal.ts';

/**
 * What a file in the directory of a cache is: a block, a whole file, a part or its map; `temporary` what an interrupted write left;
 * `unknown` what does not belong there.
 */
export type EntryKind = 'block' | 'whole' | 'part' | 'map' | 'temporary' | 'unknown';

/** A file in the directory of a cache. */
export interface CacheEntry {
  readonly kind: EntryKind;
  readonly shard: Shard;
  /** The name of the file, with what it ends in. */
  readonly fileName: string;
  /** The name of the block or file that it is, or belongs to. */
  readonly name: string;
  readonly stats: Stats;
}

/** Bytes that it takes on the disk, in pages. */
export function pagesOnDisk({ blocks }: Stats): number {
  return Math.ceil((blocks * 512) / pageSize);
}

const pairs = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** The directories of a cache that hold blocks and files, in the order of their names. */
export function* shardsOf(directory: CacheDirectory): Generator<Shard> {
  const above = new Set(quiet(() => readdirSync(directory.path)) ?? []);
  for (const first of [...pairs, 'files']) {
    if (!above.has(first)) continue;
    const below = quiet(() => readdirSync(`${directory.path}/${first}`)) ?? [];
    for (const second of below.sort()) if (/^[0-9a-f]{2}$/.test(second)) yield [first, second];
  }
}

/** The files in a directory of a cache, in the order of their names. */
export function entriesOf(directory: CacheDirectory, shard: Shard): CacheEntry[] {
  const list = quiet(() =>
    directory.within(shard, false, (path) =>
      readdirSync(path)
        .sort()
        .flatMap((fileName) => {
          const stats = quiet(() => lstatSync(`${path}/${fileName}`));
          return stats === undefined ? [] : [{ ...kindOf(shard, fileName, stats), shard, fileName, stats }];
        }),
    ),
  );
  return list ?? [];
}

function kindOf(shard: Shard, fileName: string, stats: Stats): Pick<CacheEntry, 'kind' | 'name'> {
  if (!stats.isFile()) return { kind: 'unknown', name: fileName };
  if (/^\..*\.tmp$/.test(fileName)) return { kind: 'temporary', name: fileName };
  const [, name, ending] = /^([0-9a-f]{64})(?:\.(part|map))?$/.exec(fileName) ?? [];
  if (name === undefined) return { kind: 'unknown', name: fileName };
  if (shard[0] === 'files') {
    if (!name.startsWith(shard[1])) return { kind: 'unknown', name };
    return { kind: (ending as 'part' | 'map' | undefined) ?? 'whole', name };
  }
  const isBlock = ending === undefined && blockShard(name).join() === shard.join();
  return { kind: isBlock ? 'block' : 'unknown', name };
}

/** Where an entry comes in the order of a walk: a text that sorts as it does. */
export function placeOfEntry({ shard, fileName }: CacheEntry): string {
  return `${shard.join('/')}/${fileName}`;
}

/** How an entry is called in messages. */
export function describeEntry({ kind, name }: CacheEntry): string {
  return `${kind === 'block' ? 'block' : 'file'} ${name}`;
}
