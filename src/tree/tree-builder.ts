import { Failure } from '../base/errors.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { type Children, walkRows } from './children.ts';
import { EntryTable } from './entry-table.ts';
import { NameTable } from './name-table.ts';
import { type DirectoryEntry, type Entry, type FileEntry, treePath } from './tree.ts';

/** Limits of Linux (limits.h: PATH_MAX with its NUL, NAME_MAX; path_resolution(7): links). */
const longestPath = 4095;
const longestName = 255;
const mostLinks = 40;
/** More entries than any root file system has; each takes some 50 bytes of memory and its name. */
const mostEntries = 4_000_000;
const defaultDirectory: DirectoryEntry = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 };
const root = 0;

/**
 * A file tree that grows entry by entry, as a directory does into which archives are extracted: a file replaces what had its
 * name, a directory keeps what is in it, missing parents appear (0755, root), and symbolic links in the way to a name are
 * followed, with the tree as `/`. Nothing outside the tree can be named.
 *
 * Names may have `/` and `./` before them. Every method fails with `hostile` for a name with a `..` component, for one that Linux
 * could not open, for links in a circle, and for too many entries.
 */
export class TreeBuilder implements Iterable<readonly [path: string, entry: Entry]> {
  readonly #entries = new EntryTable();
  #names = new NameTable(this.#entries.add(defaultDirectory));
  /** The entries of files that were given more than one name. */
  readonly #linked = new Set<number>();
  /** For each hard-link group with which files came, the entry of the first of them. */
  readonly #groups = new Map<string, number>();
  #added = 0;
  /** The directory that the last entry went into: mostly the next one goes there too. */
  #last: { readonly path: string; readonly directory: number } | undefined;

  /** @throws Failure `conflict` when a parent is not a directory, or for a root that is none. */
  put(name: string, entry: Entry): void {
    const path = treePath(name);
    if (path === '') {
      if (entry.kind !== 'directory')
        throw new Failure('conflict', `the root of a tree must be a directory, not a ${entry.kind}`);
      this.#entries.replace(this.#names.entryOf(root), entry);
      return;
    }
    const { directory, base } = this.#place(path);
    const present = this.#names.find(directory, base);
    if (present !== undefined && entry.kind === 'directory' && this.#isDirectory(present))
      this.#entries.replace(this.#names.entryOf(present), entry);
    else {
      const number = this.#entries.add(entry);
      if (entry.kind === 'file' && entry.hardLink !== undefined && !this.#groups.has(entry.hardLink))
        this.#groups.set(entry.hardLink, number);
      this.#set(directory, base, number);
    }
  }

  /**
   * Gives an earlier entry a further name; files so linked become one hard-link group.
   * @throws Failure `corrupt` when there is no such entry, or it is a directory.
   */
  link(name: string, target: string): void {
    const row = this.#find(treePath(target));
    if (row === undefined || this.#isDirectory(row))
      throw new Failure('corrupt', `${name} is a hard link to ${target}, which is no earlier file`);
    const entry = this.#names.entryOf(row);
    if (this.#entries.kindOf(entry) === 'file') this.#linked.add(entry); // a tree has no links between other kinds
    const { directory, base } = this.#place(treePath(name));
    this.#set(directory, base, entry);
  }

  /** Takes an entry out with everything below it; fine when there is none. The root stays. */
  remove(name: string): void {
    const path = treePath(name);
    if (path === '') return;
    const row = this.#find(path);
    if (row !== undefined) this.#names.remove(row);
    this.#last = undefined;
  }

  /** Takes everything out of a directory; fine when there is none. */
  clear(name: string): void {
    const row = this.#directory(treePath(name), 'find');
    this.#last = undefined;
    if (row === root) this.#names = new NameTable(this.#names.entryOf(root));
    else if (row !== undefined)
      this.#set(this.#names.parentOf(row), this.#names.nameOf(row), this.#names.entryOf(row));
  }

  /** The entry of this very path; symbolic links are followed only on the way to it. */
  get(name: string): Entry | undefined {
    const row = this.#find(treePath(name));
    return row === undefined ? undefined : this.#entryAt(row);
  }

  /**
   * Every entry, depth first: the root as `''`, a directory before what is in it, names of one directory in byte order. Hard-link
   * groups are called by the first of their names; a group of one name is none.
   */
  *[Symbol.iterator](): Iterator<readonly [string, Entry]> {
    const children = this.#names.children();
    const groupName = this.#groupNames(children);
    const paths: string[] = [];
    for (const { row, depth } of walkRows(children)) {
      const name = decodeName(this.#names.nameOf(row));
      paths[depth] = depth < 2 ? name : `${paths[depth - 1]}/${name}`;
      const entry = this.#entryAt(row);
      yield [paths[depth], entry.kind === 'file' ? inGroup(entry, groupName(row)) : entry];
    }
  }

  /** What the hard-link group of a name is called; undefined when there is no other name in it. */
  #groupNames(children: Children): (row: number) => string | undefined {
    if (this.#groups.size === 0 && this.#linked.size === 0) return () => undefined;
    /** By the entry that stands for a group. */
    const firstNames = new Uint32Array(this.#entries.length);
    const hasMore = new Uint8Array(this.#entries.length);
    for (const { row } of walkRows(children)) {
      const group = this.#groupOf(row);
      if (group === undefined) continue;
      if (firstNames[group] === 0) firstNames[group] = row;
      else hasMore[group] = 1;
    }
    return (row) => {
      const group = this.#groupOf(row);
      return group === undefined || hasMore[group] === 0 ? undefined : this.#names.pathOf(firstNames[group]!);
    };
  }

  /** The entry that stands for the hard-link group of a name: that with which it came, or its own when it was linked here. */
  #groupOf(row: number): number | undefined {
    const entry = this.#names.entryOf(row);
    const group = this.#entries.hardLinkOf(entry);
    if (group !== undefined) return this.#groups.get(group);
    return this.#linked.has(entry) ? entry : undefined;
  }

  #entryAt(row: number): Entry {
    return this.#entries.get(this.#names.entryOf(row));
  }

  #isDirectory(row: number): boolean {
    return this.#entries.kindOf(this.#names.entryOf(row)) === 'directory';
  }

  #find(path: string): number | undefined {
    if (path === '') return root;
    const { parent, base } = split(path);
    const directory = this.#directory(parent, 'find');
    return directory === undefined ? undefined : this.#names.find(directory, base);
  }

  /** Where an entry goes: its directory is made when it is missing. */
  #place(path: string): { directory: number; base: Uint8Array } {
    const { parent, base } = split(path);
    const directory = this.#last?.path === parent ? this.#last.directory : this.#directory(parent, 'make')!;
    this.#last = { path: parent, directory };
    return { directory, base };
  }

  /** Gives a name to an entry, and takes it from what has it. */
  #set(directory: number, name: Uint8Array, entry: number): number {
    if (++this.#added > mostEntries)
      throw new Failure('hostile', `there are more than ${mostEntries} entries`, {
        hint: 'no root file system has so many; look where this comes from',
      });
    const present = this.#names.find(directory, name);
    if (present !== undefined) {
      this.#names.remove(present);
      this.#last = undefined; // what is replaced may have led there
    }
    return this.#names.add(directory, name, entry);
  }

  /** The directory of a path, all symbolic links followed; what is missing is made, or there is none. */
  #directory(path: string, missing: 'make' | 'find'): number | undefined {
    const pending = path.split('/').reverse();
    const way: { directory: number; length: number }[] = [{ directory: root, length: 0 }];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      const { directory, length } = way.at(-1)!;
      const bytes = encodeName(name);
      const row =
        this.#names.find(directory, bytes) ?? (missing === 'make' && this.#missing(directory, bytes));
      if (row === undefined || row === false) return undefined;
      if (this.#isDirectory(row)) {
        const longer = length + bytes.length + 1;
        if (longer > longestPath) throw tooLong(path);
        way.push({ directory: row, length: longer });
        continue;
      }
      const entry = this.#entryAt(row);
      if (entry.kind === 'symlink') {
        if (++links > mostLinks)
          throw new Failure('hostile', `${shown(path)} leads through more than ${mostLinks} symbolic links`);
        if (entry.target.startsWith('/')) way.length = 1;
        pending.push(...entry.target.split('/').reverse());
      } else if (missing === 'find') {
        return undefined;
      } else {
        const why = `${name} is a ${entry.kind}, not a directory`;
        throw new Failure('conflict', `there cannot be entries below ${shown(path)}: ${why}`);
      }
    }
    return way.at(-1)!.directory;
  }

  #missing(directory: number, name: Uint8Array): number {
    if (name.length > longestName) throw tooLong(decodeName(name));
    const { mtime } = this.#entryAt(root);
    return this.#set(directory, name, this.#entries.add({ ...defaultDirectory, mtime }));
  }
}

/** Directory and name of a path, the name fit for Linux. */
function split(path: string): { parent: string; base: Uint8Array } {
  const slash = path.lastIndexOf('/');
  const base = encodeName(path.slice(slash + 1));
  const isLong = path.length * 3 > longestPath && encodeName(path).length > longestPath;
  if (isLong || base.length > longestName) throw tooLong(path);
  return { parent: slash < 0 ? '' : path.slice(0, slash), base };
}

/** The file in the hard-link group of that name, or in none. */
function inGroup({ hardLink: _, ...file }: FileEntry, group: string | undefined): FileEntry {
  return group === undefined ? file : { ...file, hardLink: group };
}

function tooLong(path: string): Failure {
  return new Failure('hostile', `${shown(path)} is a longer name than Linux can open`);
}

const shown = (path: string) => JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}…` : path);
