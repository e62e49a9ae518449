import { Failure } from '../base/errors.ts';
import { nameHardLinks } from './hard-links.ts';
import { resolvePath } from './links.ts';
import { type Entry, nameOf, parentOf, Tree } from './tree.ts';

/**
 * Lays `upper` over `lower`. Files of `upper` replace those of `lower`; a directory that both have takes the metadata of
 * `upper`. Where `lower` has a symbolic link to a directory and `upper` a directory of that name, the children go to the
 * link's target, as dpkg and tar do it: that is how `/bin/x` lands in `/usr/bin` of a merged-/usr tree.
 * Hard-link groups of different trees stay apart, whatever they are called.
 * @throws Failure `conflict` when a file would replace a non-empty directory or the reverse.
 */
export function overlay(lower: Tree, ...uppers: readonly Tree[]): Tree {
  let entries = new Map(ownGroups(lower, 0));
  for (const [index, upper] of uppers.entries()) entries = overlayOne(entries, ownGroups(upper, index + 1));
  return nameHardLinks(Tree.from(entries));
}

/** The tree with names of hard-link groups that no other layer has. */
function ownGroups(tree: Tree, layer: number): Tree {
  return tree.map((_path, entry) =>
    entry.kind === 'file' && entry.hardLink !== undefined
      ? { ...entry, hardLink: `${layer}:${entry.hardLink}` }
      : entry,
  );
}

function overlayOne(lower: ReadonlyMap<string, Entry>, upper: Tree): Map<string, Entry> {
  const result = new Map(lower);
  const directories = new Map<string, string>([['', '']]);
  for (const [path, entry] of upper) {
    if (path === '') {
      result.set('', entry);
      continue;
    }
    const parent = directories.get(parentOf(path)!)!;
    const place = parent === '' ? nameOf(path) : `${parent}/${nameOf(path)}`;
    const present = result.get(place);
    if (entry.kind === 'directory') {
      const target = present?.kind === 'symlink' ? resolveDirectory(result, place) : place;
      if (target === undefined || (present && present.kind !== 'symlink' && present.kind !== 'directory'))
        throw new Failure(
          'conflict',
          `${place} is a ${present!.kind} in one tree and a directory in the other`,
        );
      directories.set(path, target);
      if (target === place) result.set(place, entry);
    } else {
      if (present?.kind === 'directory' && hasChildren(result, place))
        throw new Failure(
          'conflict',
          `${place} is a directory with entries in one tree and a ${entry.kind} in the other`,
        );
      result.set(place, entry);
    }
  }
  return result;
}

function hasChildren(entries: ReadonlyMap<string, Entry>, directory: string): boolean {
  for (const path of entries.keys()) if (path.startsWith(`${directory}/`)) return true;
  return false;
}

/** The directory that `path` names when symbolic links are followed inside the tree; undefined when there is none. */
export function resolveDirectory(entries: ReadonlyMap<string, Entry>, path: string): string | undefined {
  const resolved = resolvePath((at) => entries.get(at), path);
  return resolved !== undefined && entries.get(resolved)?.kind === 'directory' ? resolved : undefined;
}
