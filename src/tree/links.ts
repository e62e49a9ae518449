import type { Entry } from './tree.ts';

/** Where a path leads when symbolic links are followed. */
export interface LinkWalk {
  /** The symbolic links on the way, in the order in which they are met. */
  readonly links: readonly string[];
  /** What the path means in the end; undefined when something on the way is missing or links form a circle. */
  readonly end: string | undefined;
}

const mostLinks = 40; // the limit of Linux (path_resolution(7))

/**
 * Follows every symbolic link of a path, the last component's too, with the tree as `/`.
 * @param get what the tree has at a path
 */
export function followLinks(get: (path: string) => Entry | undefined, path: string): LinkWalk {
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
    const entry = get(at);
    if (entry === undefined) return { links, end: undefined };
    if (entry.kind !== 'symlink') {
      done.push(component);
      continue;
    }
    links.push(at);
    if (links.length > mostLinks) return { links, end: undefined };
    if (entry.target.startsWith('/')) done.length = 0;
    pending.push(...entry.target.split('/').reverse());
  }
  return { links, end: done.join('/') };
}

/** The path that `path` means in the end; undefined when it leads nowhere. */
export function resolvePath(get: (path: string) => Entry | undefined, path: string): string | undefined {
  return followLinks(get, path).end;
}
