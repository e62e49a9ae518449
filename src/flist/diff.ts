import { isDeepStrictEqual } from 'node:util';
import type { EntryKind } from '../tree/tree.ts';
import { firstPaths } from './dump.ts';
import { type Inode, kindOfMode } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { pathAt } from './manifest/manifest-columns.ts';
import { prefetchRows } from './manifest/prefetch-list.ts';
import { EqualBlocks, placedBlocks } from './placed-blocks.ts';
import { compareInWalk, type PlacedInode, walkManifest } from './walk.ts';

/** What can differ between two entries of one path. `content` is the plain bytes, `blocks` only how they are stored. */
const changedFields = [
  'kind',
  'content',
  'blocks',
  'size',
  'target',
  'device',
  'link',
  'mode',
  'uid',
  'gid',
  'mtime',
  'ctime',
  'xattrs',
] as const;

export type ChangedField = (typeof changedFields)[number];

/** A path that is not the same in two manifests. */
export type EntryChange =
  | { readonly change: 'added' | 'removed'; readonly path: string; readonly kind: EntryKind }
  | {
      readonly change: 'changed';
      readonly path: string;
      /** In the newer one. */
      readonly kind: EntryKind;
      readonly fields: readonly ChangedField[];
    };

/** What a manifest says beside its entries. */
export interface SettingChange {
  readonly change: 'added' | 'removed' | 'changed';
  readonly setting: 'tag' | 'stores' | 'prefetch';
  /** The key of a tag. */
  readonly tag?: string;
}

/** What somebody who has the blocks of the older manifest needs for the newer one. */
export interface BlocksToFetch {
  /** Different blocks. */
  readonly blocks: number;
  /** Their plain bytes. */
  readonly bytes: number;
}

/** Every path that differs, in the order of `walkManifest`. A directory that is only in one is followed by all in it. */
export function* diffEntries(older: Manifest, newer: Manifest): Generator<EntryChange> {
  const compare = fieldComparison(older, newer);
  for (const [before, after] of sideBySide(older, newer)) {
    if (before === undefined) yield { change: 'added', ...pathAndKind(after!) };
    else if (after === undefined) yield { change: 'removed', ...pathAndKind(before) };
    else {
      const fields = compare(before, after);
      if (fields.length > 0) yield { change: 'changed', ...pathAndKind(after), fields };
    }
  }
}

/** The tags that differ, by key, the routes where they do, and what is to be fetched ahead. */
export function diffSettings(older: Manifest, newer: Manifest): SettingChange[] {
  const changes: SettingChange[] = [];
  for (const tag of new Set([...older.tags.keys(), ...newer.tags.keys()])) {
    const [before, after] = [older.tags.get(tag), newer.tags.get(tag)];
    if (before === after) continue;
    changes.push({
      change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
      setting: 'tag',
      tag,
    });
  }
  if (JSON.stringify(older.routes) !== JSON.stringify(newer.routes))
    changes.push({ change: 'changed', setting: 'stores' });
  const [before, after] = [older.columns.prefetch.length, newer.columns.prefetch.length];
  if (before !== after || !haveEqualPrefetch(older, newer))
    changes.push({
      change: before === 0 ? 'added' : after === 0 ? 'removed' : 'changed',
      setting: 'prefetch',
    });
  return changes;
}

/** Files are compared by their paths. */
function haveEqualPrefetch(older: Manifest, newer: Manifest): boolean {
  const ranges = ({ columns }: Manifest) =>
    Array.from(prefetchRows(columns), ({ row, first, last }) => [pathAt(columns, row), first, last]);
  return isDeepStrictEqual(ranges(older), ranges(newer));
}

/** The blocks of the newer manifest that the older one does not have. */
export function blocksToFetch(older: Manifest, newer: Manifest): BlocksToFetch {
  const equal = new EqualBlocks([older.columns, newer.columns], 'id');
  for (const block of placedBlocks(older.columns)) equal.firstLike(block, 0);
  const counts = { blocks: 0, bytes: 0 };
  for (const block of placedBlocks(newer.columns)) {
    if (equal.firstLike(block, 1) !== equal.numberOf(block, 1)) continue;
    counts.blocks++;
    counts.bytes += block.size;
  }
  return counts;
}

type Pair = readonly [before: PlacedInode | undefined, after: PlacedInode | undefined];

function* sideBySide(older: Manifest, newer: Manifest): Generator<Pair> {
  const [olds, news] = [walkManifest(older), walkManifest(newer)];
  const next = (walk: Generator<PlacedInode, void>) => walk.next().value ?? undefined;
  let [before, after] = [next(olds), next(news)];
  while (before !== undefined || after !== undefined) {
    const order =
      before === undefined ? 1 : after === undefined ? -1 : compareInWalk(before.path, after.path);
    yield [order <= 0 ? before : undefined, order >= 0 ? after : undefined];
    if (order <= 0) before = next(olds);
    if (order >= 0) after = next(news);
  }
}

function pathAndKind({ path, inode }: PlacedInode): { path: string; kind: EntryKind } {
  return { path, kind: kindOfMode(inode.mode)! };
}

/** Compares entries of the same path; to be asked in the order of the walk. */
function fieldComparison(older: Manifest, newer: Manifest) {
  const [firstBefore, firstAfter] = [firstPaths(older), firstPaths(newer)];
  return (before: PlacedInode, after: PlacedInode): ChangedField[] => {
    const [a, b] = [before.inode, after.inode];
    const kind = kindOfMode(a.mode)!;
    const differs: Partial<Record<ChangedField, boolean>> = {
      mode: (a.mode & 0o7777) !== (b.mode & 0o7777),
      uid: a.uid !== b.uid,
      gid: a.gid !== b.gid,
      mtime: a.mtime !== b.mtime || a.mtimeNs !== b.mtimeNs,
      // Where it is the modification time, it says nothing new.
      ctime: a.ctime !== b.ctime && (a.ctime !== a.mtime || b.ctime !== b.mtime),
      xattrs: !haveEqualXattrs(a, b),
      // Asked of both, whatever they are: the first names are noted on the way.
      link: firstBefore(a, before.path) !== firstAfter(b, after.path),
    };
    if (kind !== kindOfMode(b.mode)) differs.kind = true;
    else if (kind === 'file')
      Object.assign(differs, { size: a.size !== b.size }, compareBlocks(older, a, newer, b));
    else if (kind === 'symlink') differs.target = a.target !== b.target;
    else if (kind === 'character' || kind === 'block') differs.device = a.rdev !== b.rdev;
    return changedFields.filter((field) => differs[field]);
  };
}

function compareBlocks(older: Manifest, a: Inode, newer: Manifest, b: Inode) {
  const [before, after] = [older.blocksOf(a.ino), newer.blocksOf(b.ino)];
  const isSame = (part: 'id' | 'key') =>
    before.length === after.length && before.every((ref, i) => ref[part] === after[i]![part]);
  const content = a.size !== b.size || !isSame('key');
  return { content, blocks: !content && !isSame('id') };
}

function haveEqualXattrs({ xattrs: a }: Inode, { xattrs: b }: Inode): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
