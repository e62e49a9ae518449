import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lutimesSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { type Libc, LibcError, loadLibc } from '../base/libc.ts';
import { encodeName } from '../base/names.ts';
import type { Entry, EntryKind, Metadata } from './tree.ts';

/** A path that Node and libc take; bytes where it is not UTF-8. The thing itself is meant, never what a link at its end names. */
export type Place = string | Buffer;

/**
 * What could not be kept: an entry of that kind that this user or system cannot make, an extended attribute, or the setuid
 * and setgid bits of a file that does not get the owner they were given for.
 */
export type Loss = EntryKind | 'xattr' | 'setid';

/** What was lost, for people. */
export function describeLoss(path: string, loss: Loss): string {
  const what = { xattr: 'an extended attribute', setid: 'its setuid or setgid bit' } as Record<
    string,
    string
  >;
  return `${path}: ${what[loss] ?? `a ${loss}${loss === 'character' || loss === 'block' ? ' device' : ''}`} cannot be kept here`;
}

/** An open descriptor that names an entry and gives no access to it (open(2)); Node has no name for it. */
export const O_PATH = 0o10000000;

const typeBits = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/** Makes entries real and gives them their metadata, exactly, whatever the umask. */
export class Restorer {
  readonly #owners: boolean;
  readonly #libc: Libc | undefined;
  readonly #lost: (loss: Loss) => void;

  private constructor(owners: boolean, libc: Libc | undefined, lost: (loss: Loss) => void) {
    this.#owners = owners;
    this.#libc = libc;
    this.#lost = lost;
  }

  /**
   * @param owners give everything its owner, which takes root; otherwise all of it belongs to the caller.
   * @param lost called for everything that could not be kept.
   */
  static async create(owners: boolean, lost: (loss: Loss) => void): Promise<Restorer> {
    return new Restorer(owners, await loadLibc(), lost);
  }

  /** Makes a link, a device, a fifo or a socket, without its metadata; false when it cannot be made here. */
  make(place: Place, entry: Exclude<Entry, { kind: 'directory' | 'file' }>): boolean {
    if (entry.kind === 'symlink') {
      symlinkSync(nameFor(entry.target), place);
      return true;
    }
    const device = 'major' in entry ? entry : undefined;
    try {
      if (this.#libc === undefined) throw new Error('there is no libc');
      this.#libc.makeNode(place, typeBits[entry.kind] | 0o600, device);
      return true;
    } catch (error) {
      if (!isImpossible(error) && this.#libc !== undefined) throw error;
      this.#lost(entry.kind);
      return false;
    }
  }

  /**
   * Gives an entry its metadata. A new owner clears the setuid bits and capabilities, so it comes first; a mode may forbid the
   * rest, so it comes last.
   * @param file the open descriptor of a regular file.
   */
  finish(place: Place, entry: Metadata & { readonly kind: EntryKind }, file?: number): void {
    if (this.#owners) lchownSync(place, entry.uid, entry.gid);
    if (entry.xattrs !== undefined) this.#setXattrs(place, entry.xattrs);
    this.setTime(file ?? place, entry);
    if (file !== undefined) fchmodSync(file, this.#allowedMode(entry, file));
    else if (entry.kind !== 'symlink') chmodItself(place, entry.mode);
  }

  #setXattrs(place: Place, xattrs: ReadonlyMap<string, Uint8Array>): void {
    for (const [name, value] of xattrs) {
      try {
        if (this.#libc === undefined) this.#lost('xattr');
        else this.#libc.setXattr(place, name, value);
      } catch (error) {
        // Whether an attribute can be kept depends on its name, its size, the file system and the user.
        if (!(error instanceof LibcError)) throw error;
        this.#lost('xattr');
      }
    }
  }

  /** Sets both times of a place, or of an open file, to the modification time. */
  setTime(place: Place | number, { mtime, mtimeNs = 0 }: Metadata): void {
    const time = { seconds: mtime, nanoseconds: mtimeNs };
    if (this.#libc !== undefined) this.#libc.setTimes(place, time, time);
    else {
      const text = `${mtime + mtimeNs / 1e9}`; // as a number Node takes a negative time for now
      if (typeof place === 'number') futimesSync(place, text, text);
      else lutimesSync(place, text, text);
    }
  }

  /** The setuid bit lends the rights of an owner; somebody else's rights were not meant. */
  #allowedMode({ mode, uid, gid }: Metadata, file: number): number {
    if (this.#owners || (mode & 0o6000) === 0) return mode;
    const owner = fstatSync(file);
    const foreign = (owner.uid === uid ? 0 : mode & 0o4000) | (owner.gid === gid ? 0 : mode & 0o2000);
    if (foreign !== 0) this.#lost('setid');
    return mode & ~foreign;
  }
}

/** Sets the mode of what is at the place itself. There is no call for that; a descriptor that names it is the way around. */
export function chmodItself(place: Place, mode: number): void {
  const named = openSync(place, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(descriptorPath(named), mode); // of a symbolic link this fails with EOPNOTSUPP
  } finally {
    closeSync(named);
  }
}

/** The path of what an open descriptor names (proc(5)); below it, that of an entry of an open directory. */
export function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}

/** A name or link target as Node takes it. */
function nameFor(name: string): Place {
  return name.isWellFormed() ? name : encodeName(name);
}

/** The place of a name below a directory. */
export function placeBelow(directory: string, name: string): Place {
  const path = `${directory}/${name}`;
  return name.isWellFormed() ? path : encodeName(path);
}

/** Whether the system says that this user, or this file system, cannot have such a thing at all. */
function isImpossible(error: unknown): boolean {
  return ['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'].includes(errnoOf(error) ?? '');
}
