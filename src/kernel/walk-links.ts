import type { Tree } from '../tree/tree.ts';

export interface LinkWalk {
  /** The symbolic links on the way, as paths of the tree, in the order in which they are met. */
  readonly links: readonly string[];
  /** What the path means in the end; undefined when something on the way is missing or links form a circle. */
  readonly end: string | undefined;
}

/** Follows a path with the tree as `/`, remembering the links: a copy of the target alone would not be found. */
export function walkLinks(tree: Tree, path: string): LinkWalk {
  const pending = path.split('/').reverse();
  const done: string[] = [];
  const links: string[] = [];
  while (pending.length > 0) {
    const component = pending.pop()!;
    if (component === '' || component === '.') continue;
    if (component === '..') {
      done.pop();
      continue;
    }
    const at = [...done, component].join('/');
    const entry = tree.get(at);
    if (entry?.kind === 'symlink') {
      links.push(at);
      if (links.length > 40) return { links, end: undefined }; // the limit of Linux (path_resolution(7))
      if (entry.target.startsWith('/')) done.length = 0;
      pending.push(...entry.target.split('/').reverse());
    } else if (entry === undefined && at === 'lib') {
      done.push('usr', 'lib'); // a tree of firmware alone does not show that /lib is /usr/lib
    } else if (entry === undefined) return { links, end: undefined };
    else done.push(component);
  }
  return { links, end: done.join('/') };
}
