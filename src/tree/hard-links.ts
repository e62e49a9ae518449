import type { FileEntry, Tree } from './tree.ts';

/** The names of each hard-link group that has more than one, in path order. */
export function hardLinkGroups(tree: Tree): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [path, entry] of tree) {
    if (entry.kind !== 'file' || entry.hardLink === undefined) continue;
    const paths = groups.get(entry.hardLink);
    if (paths) paths.push(path);
    else groups.set(entry.hardLink, [path]);
  }
  for (const [group, paths] of groups) if (paths.length === 1) groups.delete(group);
  return groups;
}

/** The tree with every group called by the first of its names, so that equal trees from different sources are equal. */
export function nameHardLinks(tree: Tree): Tree {
  const groups = hardLinkGroups(tree);
  return tree.map((_path, entry) => {
    if (entry.kind !== 'file' || entry.hardLink === undefined) return entry;
    const { hardLink, ...single } = entry;
    const first = groups.get(hardLink)?.[0];
    return first === undefined ? (single as FileEntry) : { ...entry, hardLink: first };
  });
}
