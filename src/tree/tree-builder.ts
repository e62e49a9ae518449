import { Failure } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import { type DirectoryEntry, type Entry, treePath } from './tree.ts';

class Directory {
  readonly children = new Map<string, Node>();
  entry: DirectoryEntry;

  constructor(entry: DirectoryEntry) {
    this.entry = entry;
  }
}

type Leaf = Exclude<Entry, DirectoryEntry>;
/** Leaves stand in their directories as they are, because there may be a million of them. */
type Node = Directory | Leaf;

/** Limits of Linux (limits.h: PATH_MAX with its NUL, NAME_MAX; path_resolution(7): links). */
const longestPath = 4095;
const longestName = 255;
const mostLinks = 40;
/** More entries than any root file system has; each takes some 250 bytes of memory. */
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
  #added = 0;
  #groups = 0;
  #hasLinks = false;

  /** @throws Failure `conflict` when a parent is not a directory, or for a root that is none. */
  put(name: string, entry: Entry): void {
    const path = treePath(name);
    if (path === '') {
      if (entry.kind !== 'directory')
        throw new Failure('conflict', `the root of a tree must be a directory, not a ${entry.kind}`);
      this.#root.entry = entry;
      return;
    }
    const { parent, base } = place(path);
    const siblings = this.#directory(parent, 'make')!.children;
    const present = siblings.get(base);
    if (present instanceof Directory && entry.kind === 'directory') present.entry = entry;
    else siblings.set(base, this.#newNode(entry));
  }

  /**
   * Gives an earlier entry a further name; files so linked become one hard-link group.
   * @throws Failure `corrupt` when there is no such entry, or it is a directory.
   */
  link(name: string, target: string): void {
    const { parent, base } = place(treePath(target));
    const siblings = this.#directory(parent, 'find')?.children;
    let node = siblings?.get(base);
    if (node === undefined || node instanceof Directory)
      throw new Failure('corrupt', `${name} is a hard link to ${target}, which is no earlier file`);
    if (node.kind === 'file' && node.hardLink === undefined) {
      node = { ...node, hardLink: `/${this.#groups++}` }; // no path, so no group of an entry that is put in
      siblings!.set(base, node);
    }
    this.put(name, node); // a tree has no links between other kinds
  }

  /** Takes an entry out with everything below it; fine when there is none. The root stays. */
  remove(name: string): void {
    const path = treePath(name);
    if (path === '') return;
    const { parent, base } = place(path);
    this.#directory(parent, 'find')?.children.delete(base);
  }

  /** Takes everything out of a directory; fine when there is none. */
  clear(name: string): void {
    this.#directory(treePath(name), 'find')?.children.clear();
  }

  /** The entry of this very path; symbolic links are followed only on the way to it. */
  get(name: string): Entry | undefined {
    const path = treePath(name);
    if (path === '') return this.#root.entry;
    const { parent, base } = place(path);
    const node = this.#directory(parent, 'find')?.children.get(base);
    return node instanceof Directory ? node.entry : node;
  }

  /**
   * Every entry, depth first: the root as `''`, a directory before what is in it, names of one directory in byte order. Hard-link
   * groups are called by the first of their names; a group of one name is none.
   */
  *[Symbol.iterator](): Iterator<readonly [string, Entry]> {
    const groups = this.#hasLinks ? this.#linkNames() : undefined;
    for (const [path, entry] of this.#entries()) {
      if (entry.kind !== 'file' || entry.hardLink === undefined) yield [path, entry];
      else yield [path, namedGroup(entry, groups!.get(entry.hardLink)!)];
    }
  }

  /** The first names of each hard-link group, two at most. */
  #linkNames(): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const [path, entry] of this.#entries()) {
      if (entry.kind !== 'file' || entry.hardLink === undefined) continue;
      const names = groups.get(entry.hardLink);
      if (names === undefined) groups.set(entry.hardLink, [path]);
      else if (names.length === 1) names.push(path);
    }
    return groups;
  }

  /** Without recursion: a tree may be two thousand directories deep. */
  *#entries(): Iterable<readonly [string, Entry]> {
    const pending: [string, Node][] = [['', this.#root]];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const [path, node] = next;
      if (!(node instanceof Directory)) {
        yield [path, node];
        continue;
      }
      yield [path, node.entry];
      for (const name of [...node.children.keys()].sort(compareBytes).reverse())
        pending.push([path === '' ? name : `${path}/${name}`, node.children.get(name)!]);
    }
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
      if (!child) return undefined;
      if (child instanceof Directory) {
        const longer = length + Buffer.byteLength(name) + 1;
        if (longer > longestPath) throw tooLong(path);
        way.push({ directory: child, length: longer });
      } else if (child.kind === 'symlink') {
        if (++links > mostLinks)
          throw new Failure('hostile', `${shown(path)} leads through more than ${mostLinks} symbolic links`);
        if (child.target.startsWith('/')) way.length = 1;
        pending.push(...child.target.split('/').reverse());
      } else if (missing === 'find') {
        return undefined;
      } else {
        const why = `${name} is a ${child.kind}, not a directory`;
        throw new Failure('conflict', `there cannot be entries below ${shown(path)}: ${why}`);
      }
    }
    return way.at(-1)!.directory;
  }

  #missing(parent: Directory, name: string): Node {
    if (Buffer.byteLength(name) > longestName) throw tooLong(name);
    const made = this.#newNode({ ...defaultDirectory, mtime: this.#root.entry.mtime });
    parent.children.set(own(name), made);
    return made;
  }

  #newNode(entry: Entry): Node {
    if (++this.#added > mostEntries)
      throw new Failure('hostile', `there are more than ${mostEntries} entries`, {
        hint: 'no root file system has so many; look where this comes from',
      });
    this.#hasLinks ||= entry.kind === 'file' && entry.hardLink !== undefined;
    return entry.kind === 'directory' ? new Directory(entry) : entry;
  }
}

/** Directory and name of a path, the name fit for Linux. */
function place(path: string): { parent: string; base: string } {
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

function namedGroup(entry: Extract<Entry, { kind: 'file' }>, [first, second]: readonly string[]): Entry {
  if (second !== undefined) return { ...entry, hardLink: first! };
  const { hardLink: _alone, ...single } = entry;
  return single;
}

function tooLong(path: string): Failure {
  return new Failure('hostile', `${shown(path)} is a longer name than Linux can open`);
}

const shown = (path: string) => JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
