import { overlay } from '../tree/overlay.ts';
import { type Entry, Tree } from '../tree/tree.ts';
import { configFailure } from './config-lines.ts';
import type { FirmwareEntry } from './firmware-conf.ts';
import { isPattern, matchesPath } from './glob.ts';
import { walkLinks } from './walk-links.ts';

/** Where firmware lies in a merged-/usr tree. */
export const firmwareDirectory = 'usr/lib/firmware';

/** What a line of firmware.conf brought. */
export interface SelectedFirmware {
  readonly entry: FirmwareEntry;
  /** The packages that had matching files. */
  readonly packages: readonly string[];
  /** Every file and link, links' targets included, as paths of the whole tree. */
  readonly paths: readonly string[];
  /** Number of regular files. */
  readonly files: number;
  /** Their size in bytes. */
  readonly bytes: number;
  /** Links that lead to nothing in any of the packages. */
  readonly dangling: readonly string[];
}

export interface FirmwareSelection {
  /** What goes into the initramfs. */
  readonly image: Tree;
  /** What goes into the flist: all of it, so that a mount over the image's firmware hides nothing. */
  readonly all: Tree;
  readonly entries: readonly SelectedFirmware[];
}

/**
 * Selects the firmware that firmware.conf names from the packages. Symbolic links come with what they lead to, through
 * linked directories too. A compressed `x.bin.zst` or `x.bin.xz` matches as `x.bin`.
 * @param packages the tree of each package that is there, with its firmware below `usr/lib/firmware` or `lib/firmware`.
 * @throws Failure `config` for a line none of whose packages is there, or that selects no file.
 */
export function selectFirmware(
  entries: readonly FirmwareEntry[],
  packages: ReadonlyMap<string, Tree>,
): FirmwareSelection {
  const firmware = new Map([...packages].map(([name, tree]) => [name, firmwareOf(tree)]));
  const pool = overlay(Tree.empty, ...firmware.values());
  const selected = entries.map((entry) => selectEntry(entry, firmware, pool));
  const treeOf = (parts: readonly SelectedFirmware[]) => {
    const paths = new Set(parts.flatMap((part) => part.paths));
    return pool.select((path) => paths.has(path));
  };
  return {
    image: treeOf(selected.filter(({ entry }) => entry.target === 'image')),
    all: treeOf(selected),
    entries: selected,
  };
}

/** The firmware of a package at its place in a merged-/usr tree. */
function firmwareOf(tree: Tree): Tree {
  const subtrees = ['lib/firmware', firmwareDirectory].map((directory) => tree.subtree(directory));
  return overlay(subtrees[0]!, subtrees[1]!).under(firmwareDirectory);
}

function selectEntry(
  entry: FirmwareEntry,
  firmware: ReadonlyMap<string, Tree>,
  pool: Tree,
): SelectedFirmware {
  const there = entry.packages.filter((name) => firmware.has(name));
  if (there.length === 0)
    throw configFailure(
      entry.place,
      `none of the packages of ${entry.target}:${entry.name} is there: ${entry.packages.join(', ')}`,
      'name the package that brings these files in this suite, with | after the others',
    );
  const matchesOf = new Map(there.map((name) => [name, matching(firmware.get(name)!, entry.patterns, pool)]));
  const { paths, dangling } = withLinkTargets([...matchesOf.values()].flat(), pool);
  const files = paths.map((path) => pool.file(path)).filter((file) => file !== undefined);
  if (files.length === 0)
    throw configFailure(
      entry.place,
      `no file in ${there.join(', ')} matches ${entry.patterns.join(' ')}`,
      `list what a package brings with: dpkg-deb -c PACKAGE.deb`,
    );
  return {
    entry,
    packages: there.filter((name) => matchesOf.get(name)!.length > 0),
    paths,
    files: files.length,
    bytes: files.reduce((sum, { content }) => sum + content.size, 0),
    dangling,
  };
}

/** The files and links of a package that match; a plain path may also go through a linked directory. */
function matching(own: Tree, patterns: readonly string[], pool: Tree): string[] {
  const paths: string[] = [];
  for (const [path, entry] of own)
    if (entry.kind !== 'directory') {
      const name = uncompressedName(path.slice(firmwareDirectory.length + 1));
      if (patterns.some((pattern) => matchesPath(name, pattern))) paths.push(path);
    }
  for (const pattern of patterns) {
    const path = `${firmwareDirectory}/${pattern}`;
    if (isPattern(pattern) || own.has(path)) continue;
    const firstLink = walkLinks(pool, path).links[0];
    if (firstLink !== undefined && own.has(firstLink)) paths.push(path);
  }
  return paths;
}

/** The paths with every link that they pass and everything that the links lead to. */
function withLinkTargets(paths: readonly string[], pool: Tree) {
  const chosen = new Set<string>();
  const dangling = new Set<string>();
  const seen = new Set<string>();
  const pending = [...paths];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const { links, end } = walkLinks(pool, path);
    for (const link of links) chosen.add(link);
    const entry: Entry | undefined = end === undefined ? undefined : pool.get(end);
    if (entry === undefined) dangling.add(path);
    else if (entry.kind === 'directory')
      for (const [below, { kind }] of pool)
        if (kind !== 'directory' && isBelow(below, end!)) pending.push(below);
    if (entry?.kind === 'file') chosen.add(end!);
  }
  return { paths: [...chosen].sort(), dangling: [...dangling].sort() };
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(`${directory}/`);
}

/** The name by which drivers ask: without the suffix of what the kernel decompresses itself. */
export function uncompressedName(path: string): string {
  return path.replace(/\.(zst|xz)$/, '');
}
