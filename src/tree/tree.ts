import { Failure } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import type { Content } from './content.ts';

/** What every entry has beside its kind. */
export interface Metadata {
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since the epoch. */
  readonly mtime: number;
  /** Nanoseconds of the modification time, 0 to 999,999,999. */
  readonly mtimeNs?: number;
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

export interface DirectoryEntry extends Metadata {
  readonly kind: 'directory';
}

export interface FileEntry extends Metadata {
  readonly kind: 'file';
  readonly content: Content;
  /** Files of one tree with the same group are one inode with several names; they carry equal metadata and content. */
  readonly hardLink?: string;
}

export interface SymlinkEntry extends Metadata {
  readonly kind: 'symlink';
  readonly target: string;
}

export interface DeviceEntry extends Metadata {
  readonly kind: 'character' | 'block';
  readonly major: number;
  readonly minor: number;
}

export interface SpecialEntry extends Metadata {
  readonly kind: 'fifo' | 'socket';
}

export type Entry = DirectoryEntry | FileEntry | SymlinkEntry | DeviceEntry | SpecialEntry;
export type EntryKind = Entry['kind'];

const defaultRoot: DirectoryEntry = { kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0 };

/**
 * A file tree as a value: a sorted map from path to entry. Owners, modes and devices are data; only a sink shows them.
 *
 * Paths are relative, separated by `/`, without empty, `.` or `..` components; the root directory is the path `''` and
 * is always there. Every parent of a path is in the tree and is a directory. Iteration is in byte order of the paths,
 * so a parent comes before its children.
 */
export class Tree implements Iterable<readonly [string, Entry]> {
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(entries: ReadonlyMap<string, Entry>) {
    this.#entries = entries;
  }

  static readonly empty = new Tree(new Map([['', defaultRoot]]));

  /**
   * A tree of these entries; for a path given twice the last one counts. Missing parents become directories
   * (0755, root, with the time of the root).
   * @throws Failure `hostile` for a path that leaves the tree, `conflict` when a parent is not a directory.
   */
  static from(entries: Iterable<readonly [string, Entry]>): Tree {
    const map = new Map<string, Entry>([['', defaultRoot]]);
    for (const [path, entry] of entries) {
      checkPath(path);
      map.set(path, entry);
    }
    const root = map.get('')!;
    if (root.kind !== 'directory')
      throw new Failure('conflict', `the root of a tree must be a directory, not a ${root.kind}`);
    for (const path of [...map.keys()]) {
      for (let parent = parentOf(path); parent !== undefined; parent = parentOf(parent)) {
        const entry = map.get(parent);
        if (entry === undefined) map.set(parent, { ...defaultRoot, mtime: root.mtime });
        else if (entry.kind === 'directory') break;
        else
          throw new Failure('conflict', `${path}: its parent ${parent} is a ${entry.kind}, not a directory`);
      }
    }
    return new Tree(new Map([...map].sort(([a], [b]) => compareBytes(a, b))));
  }

  /** Number of entries, the root included. */
  get size(): number {
    return this.#entries.size;
  }

  get root(): DirectoryEntry {
    return this.#entries.get('') as DirectoryEntry;
  }

  get(path: string): Entry | undefined {
    return this.#entries.get(path);
  }

  has(path: string): boolean {
    return this.#entries.has(path);
  }

  /** The regular file at `path`, if there is one. */
  file(path: string): FileEntry | undefined {
    const entry = this.#entries.get(path);
    return entry?.kind === 'file' ? entry : undefined;
  }

  [Symbol.iterator](): IterableIterator<readonly [string, Entry]> {
    return this.#entries[Symbol.iterator]();
  }

  paths(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Sum of the sizes of all regular files in bytes; hard links count once. */
  contentSize(): number {
    let total = 0;
    const seen = new Set<string>();
    for (const entry of this.#entries.values()) {
      if (entry.kind !== 'file') continue;
      if (entry.hardLink !== undefined) {
        if (seen.has(entry.hardLink)) continue;
        seen.add(entry.hardLink);
      }
      total += entry.content.size;
    }
    return total;
  }

  /** This tree with these entries added, or put in the place of those of the same path. */
  with(entries: Iterable<readonly [string, Entry]>): Tree {
    return Tree.from([...this.#entries, ...entries]);
  }

  /** The entries for which `keep` holds, with the directories above them. The root stays. */
  select(keep: (path: string, entry: Entry) => boolean): Tree {
    const kept = new Map<string, Entry>([['', this.root]]);
    for (const [path, entry] of this.#entries) {
      if (path === '' || !keep(path, entry)) continue;
      for (let parent = parentOf(path); parent; parent = parentOf(parent))
        kept.set(parent, this.#entries.get(parent)!);
      kept.set(path, entry);
    }
    return Tree.from(kept);
  }

  /** Every entry but the root replaced by what `change` makes of it; undefined leaves it out. */
  map(change: (path: string, entry: Entry) => Entry | undefined): Tree {
    const changed: [string, Entry][] = [['', this.root]];
    for (const [path, entry] of this.#entries) {
      if (path === '') continue;
      const next = change(path, entry);
      if (next) changed.push([path, next]);
    }
    return Tree.from(changed);
  }

  /** The tree below a directory, as a tree of its own; empty when there is no such directory. */
  subtree(directory: string): Tree {
    const root = this.#entries.get(directory);
    if (root?.kind !== 'directory') return Tree.empty;
    const prefix = directory === '' ? '' : `${directory}/`;
    const below: [string, Entry][] = [['', root]];
    for (const [path, entry] of this.#entries)
      if (path !== '' && path.startsWith(prefix)) below.push([path.slice(prefix.length), entry]);
    return Tree.from(below);
  }

  /** This tree placed below `directory` of an otherwise empty one. */
  under(directory: string): Tree {
    return Tree.from(
      [...this.#entries].map(([path, entry]) => [path === '' ? directory : `${directory}/${path}`, entry]),
    );
  }
}

/** The parent of a path: `''` for a name at the top, undefined for the root. */
export function parentOf(path: string): string | undefined {
  if (path === '') return undefined;
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The last component of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * A name from an archive as a tree path: leading `/` and `./` and trailing `/` removed.
 * @throws Failure `hostile` when a component is `..` or holds a NUL byte.
 */
export function treePath(name: string): string {
  const path = name
    .split('/')
    .filter((component) => component !== '' && component !== '.')
    .join('/');
  checkPath(path);
  return path;
}

function checkPath(path: string): void {
  if (path === '') return;
  for (const component of path.split('/'))
    if (component === '' || component === '.' || component === '..' || component.includes('\0'))
      throw new Failure('hostile', `${JSON.stringify(path)} is not a path inside a tree`, {
        hint: 'names must be relative and without empty, "." or ".." components',
      });
}
