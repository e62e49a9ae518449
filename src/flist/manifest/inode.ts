import { encodeName } from '../../base/names.ts';
import type { EntryKind } from '../../tree/tree.ts';

/** One row of a manifest's inode table. */
export interface Inode {
  readonly ino: number;
  /** The inode number of the directory; 0 for the root. */
  readonly parent: number;
  /** The last component of the path, as `decodeName` gives it; `/` for the root. */
  readonly name: string;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  /** The whole `st_mode`: type bits and permission bits. */
  readonly mode: number;
  /** The device number of a device, as `makedev` makes it. */
  readonly rdev: number;
  /** Whole seconds since the epoch. */
  readonly ctime: number;
  readonly mtime: number;
  /** Nanoseconds of the modification time, 1 to 999,999,999; absent when 0. */
  readonly mtimeNs?: number;
  /** What a symbolic link points to, as `decodeName` gives it. */
  readonly target?: string;
  /** The inode number of the first name of this file, where this is a further one: both are one file. */
  readonly link?: number;
  /** Extended attributes by name; absent when there are none. */
  readonly xattrs?: ReadonlyMap<string, Uint8Array>;
}

/** The inode number of every manifest's root directory. */
export const rootIno = 1;

/** The type bits of `st_mode` (inode(7)). */
const typeBits: Readonly<Record<EntryKind, number>> = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

const kinds = new Map(Object.entries(typeBits).map(([kind, bits]) => [bits, kind as EntryKind]));

/** What an inode is by the type bits of its mode; undefined when they mean nothing. */
export function kindOfMode(mode: number): EntryKind | undefined {
  return kinds.get(mode & 0o170000);
}

/** Whether a text names a type of entry. */
export function isKind(text: string): text is EntryKind {
  return Object.hasOwn(typeBits, text);
}

/** The whole `st_mode` of an entry. */
export function modeOf(kind: EntryKind, permissions: number): number {
  return (typeBits[kind] | permissions) >>> 0;
}

/** What every directory says of its size, so that equal trees give equal manifests whatever file system they lie on. */
const directorySize = 4096;

/** The size that a manifest of ours gives an entry that is no file. */
export function usualSize(kind: EntryKind, target = ''): number {
  if (kind === 'directory') return directorySize;
  return kind === 'symlink' ? encodeName(target).length : 0;
}

/** Linux has 12 bits for the major and 20 bits for the minor number of a device. */
export function isDeviceNumber(major: number, minor: number): boolean {
  return major >= 0 && major < 0x1000 && minor >= 0 && minor < 0x100000;
}

/** `st_rdev` of a device as the C library encodes it (makedev(3)). */
export function makedev(major: number, minor: number): number {
  return (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x100000;
}

/** The numbers in a `st_rdev`; the inverse of `makedev`. */
export function splitDevice(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 20) << 8) };
}
