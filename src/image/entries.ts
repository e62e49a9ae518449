import { bytesContent } from '../tree/content.ts';
import type { DirectoryEntry, Entry, FileEntry, SymlinkEntry } from '../tree/tree.ts';

/**
 * The time of everything that this project makes itself: "no time of its own". Stamping replaces it by the epoch of the
 * image, so that no clock of the build machine ever shows.
 */
export const noTime = 0;

const owner = { uid: 0, gid: 0, mtime: noTime } as const;

export function directoryEntry(mode = 0o755): DirectoryEntry {
  return { kind: 'directory', mode, ...owner };
}

export function textEntry(text: string | Uint8Array, mode = 0o644): FileEntry {
  return { kind: 'file', mode, ...owner, content: bytesContent(text) };
}

export function linkEntry(target: string): SymlinkEntry {
  return { kind: 'symlink', mode: 0o777, ...owner, target };
}

export function characterDevice(major: number, minor: number, mode: number): Entry {
  return { kind: 'character', mode, ...owner, major, minor };
}
