import { Failure } from '../../base/errors.ts';
import { compareBytes } from '../../base/names.ts';
import { contentDigest } from '../../tree/dump.ts';
import { resolvePath } from '../../tree/links.ts';
import { overlay } from '../../tree/overlay.ts';
import { type Entry, nameOf, parentOf, type Tree } from '../../tree/tree.ts';
import type { Lock, LockEntry } from './lock.ts';

export interface PackagesTree {
  readonly tree: Tree;
  /**
   * The package that owns a path. A directory belongs to the first of the packages that have it; paths that only the base
   * has belong to none.
   */
  readonly owners: ReadonlyMap<string, string>;
}

/**
 * The packages of a lock laid over a base in the order of their names. Directory links of the base are followed, so that
 * `/bin/x` lands in `/usr/bin` of a merged-/usr base. A file that two packages have must be the same in both, unless one
 * of them `Replaces` the other (Debian policy 7.6.1; the version in that field is not looked at).
 * @param treeOf gives the files of a package: `packageTree` for one
 * @throws Failure `conflict` with the path and both packages.
 */
export async function packagesTree(
  lock: Lock,
  base: Tree,
  treeOf: (entry: LockEntry) => Promise<Tree>,
): Promise<PackagesTree> {
  const replaces = new Map(lock.map((entry) => [entry.name, new Set(entry.replaces)]));
  const owners = new Map<string, string>();
  let tree = base;
  for (const entry of [...lock].sort((a, b) => compareBytes(a.name, b.name))) {
    const { name } = entry;
    const upper = await treeOf(entry);
    const merged = layOver(tree, upper, name);
    const kept: [string, Entry][] = [];
    for (const [place, next] of placesIn(merged, upper)) {
      const owner = owners.get(place);
      const present = tree.get(place);
      if (owner === undefined || present === undefined) owners.set(place, name);
      else if (next.kind === 'directory' || (await sameFile(present, next))) continue;
      else if (replaces.get(name)!.has(owner)) owners.set(place, name);
      else if (replaces.get(owner)!.has(name)) kept.push([place, present]);
      else throw conflict(place, owner, name);
    }
    tree = kept.length > 0 ? merged.with(kept) : merged;
  }
  return { tree, owners };
}

function layOver(lower: Tree, upper: Tree, name: string): Tree {
  try {
    return overlay(lower, upper);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.kind, `the package ${name} does not fit: ${error.message}`, { cause: error });
  }
}

/** Every entry of `upper` but the root, with the path that it has in `merged`, where links to directories were followed. */
function* placesIn(merged: Tree, upper: Tree): Iterable<[string, Entry]> {
  const directories = new Map<string, string>();
  for (const [path, entry] of upper) {
    if (path === '') continue;
    const parent = parentOf(path)!;
    let directory = directories.get(parent);
    if (directory === undefined) {
      directory = resolvePath((at) => merged.get(at), parent) ?? parent;
      directories.set(parent, directory);
    }
    yield [directory === '' ? nameOf(path) : `${directory}/${nameOf(path)}`, entry];
  }
}

async function sameFile(a: Entry, b: Entry): Promise<boolean> {
  if (a.kind !== b.kind || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  if (a.kind === 'file' && b.kind === 'file')
    return (
      a.content.size === b.content.size &&
      (await contentDigest(a.content)) === (await contentDigest(b.content))
    );
  if (a.kind === 'symlink' && b.kind === 'symlink') return a.target === b.target;
  return 'major' in a && 'major' in b ? a.major === b.major && a.minor === b.minor : true;
}

function conflict(path: string, owner: string, name: string): Failure {
  return new Failure(
    'conflict',
    `the packages ${owner} and ${name} both have ${path}, with different content`,
    {
      hint: `leave one of them out: a line "-${name}" or "-${owner}" in packages.list does that for a dependency`,
    },
  );
}
