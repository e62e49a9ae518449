import { followLinks, type LinkWalk } from '../tree/links.ts';
import type { Entry, Tree } from '../tree/tree.ts';

/** A tree of firmware alone does not show that `/lib` is `/usr/lib`. */
const mergedLib: Entry = { kind: 'symlink', mode: 0o777, uid: 0, gid: 0, mtime: 0, target: 'usr/lib' };

/** Follows a path of a tree of firmware, remembering the links: a copy of the target alone would not be found. */
export function walkLinks(tree: Tree, path: string): LinkWalk {
  const { links, end } = followLinks((at) => tree.get(at) ?? (at === 'lib' ? mergedLib : undefined), path);
  return { links: links.filter((link) => tree.has(link)), end };
}
