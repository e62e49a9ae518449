import { type BigIntStats, lstatSync, statSync } from 'node:fs';
import { loadLibc } from '../../base/libc.ts';
import { systemPath } from '../../base/names.ts';

/** The directory that is packed, so far as it tells it from another one that has taken its place. */
export interface SourceRoot {
  /** Inode number and birth: no other directory of this file system has both. */
  readonly identity: string;
  /** After it neither the directory was renamed nor a link at the end of its path changed, in nanoseconds since the epoch. */
  readonly pathNs: bigint;
}

/** Undefined where the directory cannot be looked at. */
export function sourceRoot(directory: string): SourceRoot | undefined {
  const path = directory.replace(/\/+$/, '') || '/';
  const look = (name: string, stat = statSync) => stat(systemPath(name), { bigint: true });
  try {
    const [root, above, named] = [
      look(path),
      look(`${path}/..`),
      lstatSync(systemPath(path), { bigint: true }),
    ];
    const isTop = above.ino === root.ino && above.dev === root.dev;
    const renamed = isTop || above.ctimeNs < root.ctimeNs ? above.ctimeNs : root.ctimeNs;
    const pathNs = named.isSymbolicLink() && named.ctimeNs > renamed ? named.ctimeNs : renamed;
    return { identity: identityOf(root), pathNs };
  } catch {
    return undefined;
  }
}

const identityOf = ({ ino, birthtimeNs }: BigIntStats) => `${ino} ${birthtimeNs}`;

/** The attribute of a `.fl` file that says which directory was packed: in the flist itself it would make equal trees differ. */
const attribute = 'user.zosbuilder.source';

/** Notes in the attributes of a flist of which directory it was packed, where the file system has attributes. */
export async function noteSource(flist: string, identity: string): Promise<void> {
  try {
    (await loadLibc())?.setXattr(flist, attribute, Buffer.from(identity));
  } catch {
    // A later pack goes by the times of the directory then.
  }
}

/** What `noteSource` noted. */
export async function notedSource(flist: string): Promise<string | undefined> {
  try {
    const value = (await loadLibc())?.getXattr(flist, attribute);
    return value && Buffer.from(value).toString();
  } catch {
    return undefined;
  }
}
