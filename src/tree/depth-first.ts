import { compareBytes } from '../base/names.ts';
import type { Entry, Tree } from './tree.ts';

/** The entries of a tree with each directory's before what comes after it: `usr/bin` before `usr-old`. */
export function depthFirst(tree: Tree): (readonly [path: string, entry: Entry])[] {
  const placed = Array.from(tree, (entry) => ({ entry, place: entry[0].replaceAll('/', '\0') }));
  return placed.sort((a, b) => compareBytes(a.place, b.place)).map(({ entry }) => entry);
}
