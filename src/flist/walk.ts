import { compareBytes } from '../base/names.ts';
import { walkRows } from '../tree/children.ts';
import type { Inode } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { inodeAt } from './manifest/manifest-columns.ts';

/** An inode with its place in the tree. */
export interface PlacedInode {
  /** As in a `Tree`: `''` for the root, no leading `/`. */
  readonly path: string;
  /** 0 for the root. */
  readonly depth: number;
  readonly inode: Inode;
}

/** Every inode of a manifest: a directory before its children, children in byte order. */
export function* walkManifest({ columns }: Manifest): Generator<PlacedInode> {
  const paths: string[] = [];
  for (const { row, depth } of walkRows(columns)) {
    const inode = inodeAt(columns, row);
    paths[depth] = depth === 0 ? '' : depth === 1 ? inode.name : `${paths[depth - 1]}/${inode.name}`;
    yield { path: paths[depth], depth, inode };
  }
}

/** Orders two paths as `walkManifest` gives them: `usr/bin` before `usr-old`. */
export function compareInWalk(a: string, b: string): number {
  return a === b ? 0 : compareBytes(a.replaceAll('/', '\0'), b.replaceAll('/', '\0'));
}
