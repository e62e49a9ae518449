import { Failure } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import { EntryTable } from './entry-table.ts';
import { type DirectoryEntry, type Entry, treePath } from './tree.ts';

class Directory {
  readonly children = new Map<string, Node>();
  entry: DirectoryEntry;

  constructor(entry: DirectoryEntry) {
    this.entry = entry;
  }
}

/** What is no directory is the number of an entry. Several names of one number are hard links. */
type Node = Directory | number;

/** Limits of Linux (limits.h: PATH_MAX with its NUL, NAME_MAX; path_resolution(7): links). */
const longestPath = 4095;
const longestName = 255;
const mostLinks = 40;
/** More entries than any root file system has; each takes some 150 bytes of memory. */
const mostEntries = 4_000_000;
const defaultDirectory: DirectoryEntry = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/**
 * A file tree that grows entry by entry, as a directory does into which archives are extracted: a file replaces what had its
 * name, a directory keeps what is in it, missing parents appear (0755, root), and symbolic links in the way to a name are
 * followed, with the tree as `/`. Nothing outside the tree can be named.
 *
 * Names may have `/` and `./` before them. Every method fails with `hostile` for a name with a `..` component, for one that Linux
 * could not open, for links in a circle, and for too many entries.
 */
export class TreeBuilder implements Iterable<readonly [path: string, entry: Entry]> {
  readonly #root = new Directory(defaultDirectory);
  readonly #leaves = new EntryTable();
  /** The numbers of files that were given more than one name. */
  readonly #linked = new Set<number>();
  #hasGroups = false;
  #added = 0;
  /** The directory that the last entry went into: mostly the next one goes there too. */
  #last: { readonly path: string; readonly directory: Directory } | undefined;

  /** @throws Failure `conflict` when a parent is not a directory, or for a root that is none. */
  put(name: string, entry: Entry): void {
    const path = treePath(name);
    if (path === '') {
      if (entry.kind !== 'directory')
        throw new Failure('conflict', `the root of a tree must be a directory, not a ${entry.kind}`);
      this.#root.entry = entry;
      return;
    }
    this.#hasGroups ||= entry.kind === 'file' && entry.hardLink !== undefined;
    const { siblings, base } = this.#place(path);
    const present = siblings.get(base);
    if (present instanceof Directory && entry.kind === 'directory') present.entry = entry;
    else
      this.#set(siblings, base, entry.kind === 'directory' ? new Directory(entry) : this.#leaves.add(entry));
  }

  /**
   * Gives an earlier entry a further name; files so linked become one hard-link group.
   * @throws Failure `corrupt` when there is no such entry, or it is a directory.
   */
  link(name: string, target: string): void {
    const node = this.#find(treePath(target));
    if (node === undefined || node instanceof Directory)
      throw new Failure('corrupt', `${name} is a hard link to ${target}, which is no earlier file`);
    if (this.#leaves.kindOf(node) === 'file') this.#linked.add(node); // a tree has no links between other kinds
    const { siblings, base } = this.#place(treePath(name));
    this.#set(siblings, base, node);
  }

  /** Takes an entry out with everything below it; fine when there is none. The root stays. */
  remove(name: string): void {
    const path = treePath(name);
    if (path === '') return;
    const { parent, base } = split(path);
    this.#directory(parent, 'find')?.children.delete(base);
    this.#last = undefined;
  }

  /** Takes everything out of a directory; fine when there is none. */
  clear(name: string): void {
    this.#directory(treePath(name), 'find')?.children.clear();
    this.#last = undefined;
  }

  /** The entry of this very path; symbolic links are followed only on the way to it. */
  get(name: string): Entry | undefined {
    const node = this.#find(treePath(name));
    return typeof node === 'number' ? this.#leaves.get(node) : node?.entry;
  }

  /**
   * Every entry, depth first: the root as `''`, a directory before what is in it, names of one directory in byte order. Hard-link
   * groups are called by the first of their names; a group of one name is none.
   */
  *[Symbol.iterator](): Iterator<readonly [string, Entry]> {
    const groups = this.#linkNames();
    for (const [path, node] of this.#nodes()) {
      if (node instanceof Directory) yield [path, node.entry];
      else yield [path, namedGroup(this.#leaves.get(node), groups.get(this.#groupOf(node)))];
    }
  }

  /** The first names of each hard-link group, two at most. */
  #linkNames(): Map<number | string | undefined, string[]> {
    const groups = new Map<number | string | undefined, string[]>();
    if (!this.#hasGroups && this.#linked.size === 0) return groups;
    for (const [path, node] of this.#nodes()) {
      const group = node instanceof Directory ? undefined : this.#groupOf(node);
      if (group === undefined) continue;
      const names = groups.get(group);
      if (names === undefined) groups.set(group, [path]);
      else if (names.length === 1) names.push(path);
    }
    return groups;
  }

  /** The hard-link group of a leaf: that with which it came, or its own number when it was linked here. */
  #groupOf(leaf: number): number | string | undefined {
    return this.#leaves.hardLinkOf(leaf) ?? (this.#linked.has(leaf) ? leaf : undefined);
  }

  /** Without recursion: a tree may be two thousand directories deep. */
  *#nodes(): Iterable<readonly [string, Node]> {
    const pending: [string, Node][] = [['', this.#root]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      yield next;
      const [path, node] = next;
      if (!(node instanceof Directory)) continue;
      for (const name of [...node.children.keys()].sort(compareBytes).reverse())
        pending.push([path === '' ? name : `${path}/${name}`, node.children.get(name)!]);
    }
  }

  #find(path: string): Node | undefined {
    if (path === '') return this.#root;
    const { parent, base } = split(path);
    return this.#directory(parent, 'find')?.children.get(base);
  }

  /** Where an entry goes: its directory is made when it is missing. */
  #place(path: string): { siblings: Map<string, Node>; base: string } {
    const { parent, base } = split(path);
    const directory = this.#last?.path === parent ? this.#last.directory : this.#directory(parent, 'make')!;
    this.#last = { path: parent, directory };
    return { siblings: directory.children, base };
  }

  #set(siblings: Map<string, Node>, name: string, node: Node): void {
    if (++this.#added > mostEntries)
      throw new Failure('hostile', `there are more than ${mostEntries} entries`, {
        hint: 'no root file system has so many; look where this comes from',
      });
    if (siblings.has(name)) this.#last = undefined; // what is replaced may have led there
    siblings.set(name, node);
  }

  /** The directory of a path, all symbolic links followed; what is missing is made, or there is none. */
  #directory(path: string, missing: 'make' | 'find'): Directory | undefined {
    const pending = path.split('/').reverse();
    const way: { directory: Directory; length: number }[] = [{ directory: this.#root, length: 0 }];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      const { directory, length } = way.at(-1)!;
      const child = directory.children.get(name) ?? (missing === 'make' && this.#missing(directory, name));
      if (child === undefined || child === false) return undefined;
      if (child instanceof Directory) {
        const longer = length + Buffer.byteLength(name) + 1;
        if (longer > longestPath) throw tooLong(path);
        way.push({ directory: child, length: longer });
        continue;
      }
      const leaf = this.#leaves.get(child);
      if (leaf.kind === 'symlink') {
        if (++links > mostLinks)
          throw new Failure('hostile', `${shown(path)} leads through more than ${mostLinks} symbolic links`);
        if (leaf.target.startsWith('/')) way.length = 1;
        pending.push(...leaf.target.split('/').reverse());
      } else if (missing === 'find') {
        return undefined;
      } else {
        const why = `${name} is a ${leaf.kind}, not a directory`;
        throw new Failure('conflict', `there cannot be entries below ${shown(path)}: ${why}`);
      }
    }
    return way.at(-1)!.directory;
  }

  #missing(parent: Directory, name: string): Node {
    if (Buffer.byteLength(name) > longestName) throw tooLong(name);
    const made = new Directory({ ...defaultDirectory, mtime: this.#root.entry.mtime });
    this.#set(parent.children, own(name), made);
    return made;
  }
}

/** Directory and name of a path, the name fit for Linux. */
function split(path: string): { parent: string; base: string } {
  const slash = path.lastIndexOf('/');
  const base = path.slice(slash + 1);
  if (Buffer.byteLength(path) > longestPath || Buffer.byteLength(base) > longestName) throw tooLong(path);
  return { parent: slash < 0 ? '' : path.slice(0, slash), base: own(base) };
}

/** A name that does not keep the longer string in memory that it was cut from. */
function own(name: string): string {
  const encoding = Buffer.byteLength(name) === name.length ? 'latin1' : 'utf16le';
  return Buffer.from(name, encoding).toString(encoding);
}

/** The entry with its hard-link group called by the first of the group's names, or without a group. */
function namedGroup(entry: Entry, names: readonly string[] | undefined): Entry {
  if (entry.kind !== 'file' || names === undefined) return entry;
  const { hardLink: _, ...single } = entry;
  return names.length === 1 ? single : { ...single, hardLink: names[0]! };
}

function tooLong(path: string): Failure {
  return new Failure('hostile', `${shown(path)} is a longer name than Linux can open`);
}

const shown = (path: string) => JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
