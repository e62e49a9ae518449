import {
  type CpioHeader,
  cpioKinds,
  cpioPadding,
  encodeCpioHeader,
  encodeCpioTrailer,
} from '../archive/cpio.ts';
import { encodeName } from '../base/names.ts';
import { bytesContent, type Content } from './content.ts';
import { hardLinkGroups } from './hard-links.ts';
import type { Entry, Tree } from './tree.ts';

export interface CpioOptions {
  /** Later times become this one, in seconds: the rule of SOURCE_DATE_EPOCH (reproducible-builds.org). */
  readonly epoch?: number;
}

const nothing = bytesContent('');

/**
 * The tree as a cpio archive (newc) that Linux takes as initramfs: sorted, inodes numbered from 1, the root as `.`.
 * Equal trees give equal bytes. Names of one hard-link group share an inode, and the last of them has the data.
 * The format has no fractions of a second, no times before 1970 (they become 1970), and no extended attributes.
 * @throws Failure `failed` for a file of 4 GiB or more, or a number above 32 bits.
 */
export async function* cpioOf(tree: Tree, { epoch = Infinity }: CpioOptions = {}): AsyncIterable<Uint8Array> {
  const groups = hardLinkGroups(tree);
  const inodes = new Map<string, number>();
  let inodeCount = 0;
  let size = 0;
  for (const [path, entry] of tree) {
    const group = entry.kind === 'file' ? groups.get(entry.hardLink ?? '') : undefined;
    const first = group?.[0] ?? path;
    const ino = inodes.get(first) ?? ++inodeCount;
    if (group) inodes.set(first, ino);

    const content = group === undefined || group.at(-1) === path ? dataOf(entry) : nothing;
    const links = group?.length ?? (entry.kind === 'directory' ? 2 : 1);
    const name = encodeName(path === '' ? '.' : path);
    const header = encodeCpioHeader(headerOf(entry, ino, links, epoch), name, content.size);
    const padding = cpioPadding(content.size);
    size += header.length + content.size + padding.length;
    yield header;
    yield* content.chunks();
    yield padding;
  }
  yield encodeCpioTrailer(size);
}

function headerOf(entry: Entry, ino: number, links: number, epoch: number): CpioHeader {
  const isDevice = entry.kind === 'character' || entry.kind === 'block';
  return {
    ino,
    mode: cpioKinds[entry.kind] | entry.mode,
    links,
    uid: entry.uid,
    gid: entry.gid,
    mtime: Math.max(0, Math.min(entry.mtime, epoch)),
    major: isDevice ? entry.major : 0,
    minor: isDevice ? entry.minor : 0,
  };
}

function dataOf(entry: Entry): Content {
  if (entry.kind === 'file') return entry.content;
  return entry.kind === 'symlink' ? bytesContent(encodeName(entry.target)) : nothing;
}
