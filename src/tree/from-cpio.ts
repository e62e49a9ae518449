import { type CpioMember, cpioKindMask, cpioKinds, readCpio } from '../archive/cpio.ts';
import { decodeName } from '../base/names.ts';
import { ArchiveEntries } from './archive-entries.ts';
import { bytesContent } from './content.ts';
import type { Entry, EntryKind, Tree } from './tree.ts';

const kinds = new Map(Object.entries(cpioKinds).map(([kind, bits]) => [bits as number, kind as EntryKind]));

/**
 * The tree in a plain cpio archive (newc), or in several put one after the other, of which later ones replace entries of
 * earlier ones. Contents are views into `bytes`. Names of one inode are a hard-link group; as in Linux, its metadata
 * are those of the last name and its data those of the last name that has any.
 * @throws Failure `corrupt` on damage or a missing end, `hostile` for names that leave the tree.
 */
export function treeFromCpio(bytes: Uint8Array): Tree {
  const entries = new ArchiveEntries('cpio archive');
  const members = [...readCpio(bytes)];
  const inodes = new Map<string, Inode>();
  for (const member of members) {
    const group = hardLinkOf(member);
    if (group === undefined) continue;
    const data = member.data.length > 0 ? member.data : (inodes.get(group)?.data ?? member.data);
    inodes.set(group, { header: member.header, data });
  }
  for (const member of members) {
    const hardLink = hardLinkOf(member);
    const inode = hardLink === undefined ? member : inodes.get(hardLink)!;
    const name = decodeName(member.name);
    entries.add(name, entryOf(entries, name, inode, hardLink));
  }
  return entries.tree();
}

type Inode = Pick<CpioMember, 'header' | 'data'>;

/** A name for the inode of a file with several names. */
function hardLinkOf({ header, archive }: CpioMember): string | undefined {
  const isFile = (header.mode & cpioKindMask) === cpioKinds.file;
  return isFile && header.links > 1 ? `${archive}:${header.ino}` : undefined;
}

function entryOf(
  entries: ArchiveEntries,
  name: string,
  { header, data }: Inode,
  hardLink: string | undefined,
): Entry {
  const metadata = { mode: header.mode & 0o7777, uid: header.uid, gid: header.gid, mtime: header.mtime };
  const kind = kinds.get(header.mode & cpioKindMask);
  switch (kind) {
    case 'file':
      return { kind, ...metadata, content: bytesContent(data), ...(hardLink !== undefined && { hardLink }) };
    case 'symlink':
      return { kind, ...metadata, target: decodeName(data) };
    case 'character':
    case 'block':
      return { kind, ...metadata, major: header.major, minor: header.minor };
    case 'directory':
    case 'fifo':
    case 'socket':
      return { kind, ...metadata };
    case undefined:
      throw entries.failure('corrupt', `${name} has the unknown kind ${header.mode.toString(8)}`);
  }
}
