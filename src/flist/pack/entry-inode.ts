import { Failure } from '../../base/errors.ts';
import { encodeName } from '../../base/names.ts';
import { type Entry, nameOf } from '../../tree/tree.ts';
import { type Inode, isDeviceNumber, makedev, modeOf } from '../manifest/inode.ts';

/** What every directory says of its size, so that equal trees give equal manifests whatever file system they lie on. */
const directorySize = 4096;

/**
 * An entry of a tree as an inode. `ctime` is the modification time (flist format, section 1.4).
 * @param xattrs its extended attributes; those that come with it by default
 * @throws Failure `config` for a device number that a manifest cannot hold.
 */
export function inodeOfEntry(
  path: string,
  entry: Entry,
  place: Pick<Inode, 'ino' | 'parent'>,
  xattrs = entry.xattrs,
): Inode {
  const { mtimeNs } = entry;
  return {
    ino: place.ino,
    parent: place.parent,
    name: path === '' ? '/' : nameOf(path),
    size: sizeOf(entry),
    uid: entry.uid,
    gid: entry.gid,
    mode: modeOf(entry.kind, entry.mode),
    rdev: deviceOf(path, entry),
    ctime: entry.mtime,
    mtime: entry.mtime,
    ...(mtimeNs && { mtimeNs }),
    ...(entry.kind === 'symlink' && { target: entry.target }),
    ...(xattrs && xattrs.size > 0 && { xattrs }),
  };
}

function sizeOf(entry: Entry): number {
  switch (entry.kind) {
    case 'directory':
      return directorySize;
    case 'file':
      return entry.content.size;
    case 'symlink':
      return encodeName(entry.target).length;
    default:
      return 0;
  }
}

function deviceOf(path: string, entry: Entry): number {
  if (entry.kind !== 'character' && entry.kind !== 'block') return 0;
  const { major, minor } = entry;
  if (!isDeviceNumber(major, minor))
    throw new Failure('config', `${path}: a manifest cannot hold the device number ${major}:${minor}`, {
      hint: 'Linux has majors up to 4095 and minors up to 1048575; leave the device out',
    });
  return makedev(major, minor);
}
