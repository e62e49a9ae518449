import { Failure } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import type { Content } from '../tree/content.ts';
import { type Entry, nameOf, parentOf, type Tree } from '../tree/tree.ts';
import { type Inode, isDeviceNumber, makedev, modeOf } from './inode.ts';

/** What every directory says of its size, so that equal trees give equal manifests whatever file system they lie on. */
const directorySize = 4096;

/** A regular file of the tree that is packed. */
export interface PackFile {
  readonly ino: number;
  readonly path: string;
  readonly content: Content;
}

/**
 * The inodes of a tree, numbered depth first from the root, and the regular files among them. `ctime` is
 * the modification time. A hard link becomes an inode of its own; extended attributes and nanoseconds are left out (flist
 * format, section 1.4).
 * @throws Failure `config` for a device number that a manifest cannot hold.
 */
export function packInodes(tree: Tree): { inodes: Inode[]; files: PackFile[] } {
  const inodes: Inode[] = [];
  const files: PackFile[] = [];
  const directories = new Map<string, number>();
  for (const [path, entry] of depthFirst(tree)) {
    const ino = inodes.length + 1;
    const parent = parentOf(path);
    inodes.push({
      ino,
      parent: parent === undefined ? 0 : directories.get(parent)!,
      name: path === '' ? '/' : nameOf(path),
      size: sizeOf(entry),
      uid: entry.uid,
      gid: entry.gid,
      mode: modeOf(entry.kind, entry.mode),
      rdev: deviceOf(path, entry),
      ctime: entry.mtime,
      mtime: entry.mtime,
      ...(entry.kind === 'symlink' && { target: entry.target }),
    });
    if (entry.kind === 'directory') directories.set(path, ino);
    if (entry.kind === 'file') files.push({ ino, path, content: entry.content });
  }
  return { inodes, files };
}

/** The entries with each directory's before what comes after it: `usr/bin` before `usr-old`. */
function depthFirst(tree: Tree): (readonly [string, Entry])[] {
  const placed = Array.from(tree, (entry) => ({ entry, place: entry[0].replaceAll('/', '\0') }));
  return placed.sort((a, b) => compareBytes(a.place, b.place)).map(({ entry }) => entry);
}

function sizeOf(entry: Entry): number {
  switch (entry.kind) {
    case 'directory':
      return directorySize;
    case 'file':
      return entry.content.size;
    case 'symlink':
      return Buffer.byteLength(entry.target);
    default:
      return 0;
  }
}

function deviceOf(path: string, entry: Entry): number {
  if (entry.kind !== 'character' && entry.kind !== 'block') return 0;
  const { major, minor } = entry;
  if (!isDeviceNumber(major, minor))
    throw new Failure('config', `${path}: a manifest cannot hold the device number ${major}:${minor}`, {
      hint: 'Linux has majors up to 4095 and minors up to 1048575',
    });
  return makedev(major, minor);
}
