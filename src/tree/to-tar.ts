import {
  encodePax,
  encodeTarHeader,
  type TarHeader,
  tarBlockSize,
  tarNameLimit,
  tarNumberLimits,
} from '../archive/tar.ts';
import { Failure } from '../base/errors.ts';
import { compareBytes, encodeName } from '../base/names.ts';
import { bytesContent } from './content.ts';
import type { Entry, EntryKind, Tree } from './tree.ts';

const types: Readonly<Record<Exclude<EntryKind, 'socket'>, string>> = {
  file: '0',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** Stands in a header whose true name is in the pax header before it. */
const placeholder = Buffer.from('pax');
const noContent = bytesContent('');

/**
 * The tree as a tar archive: ustar, with pax headers only where ustar has no room (long or non-ASCII names, large numbers,
 * fractions of mtime, extended attributes as SCHILY.xattr). Sorted, the root as `./`; equal trees give equal bytes.
 * The first name of a hard-link group has the data.
 * @throws Failure `failed` for a socket, which tar cannot hold.
 */
export async function* tarOf(tree: Tree): AsyncIterable<Uint8Array> {
  const links = new Map<string, string>();
  for (const [path, entry] of tree) {
    const linkTarget = entry.kind === 'file' ? links.get(entry.hardLink ?? '') : undefined;
    if (entry.kind === 'file' && entry.hardLink !== undefined && linkTarget === undefined)
      links.set(entry.hardLink, path);
    const content = entry.kind === 'file' && linkTarget === undefined ? entry.content : noContent;
    yield headersOf(path, entry, content.size, linkTarget);
    yield* content.chunks();
    yield paddingOf(content.size);
  }
  yield new Uint8Array(2 * tarBlockSize);
}

/** The header block of an entry, with a pax header before it where one is needed. */
function headersOf(path: string, entry: Entry, size: number, linkTarget: string | undefined): Uint8Array {
  if (entry.kind === 'socket')
    throw new Failure('failed', `${path} is a socket, which a tar archive cannot hold`);
  const { mode, uid, gid, mtime } = entry;
  const name = encodeName(entry.kind === 'directory' ? `${path || '.'}/` : path);
  const linkName = encodeName(linkTarget ?? (entry.kind === 'symlink' ? entry.target : ''));
  const isDevice = entry.kind === 'character' || entry.kind === 'block';
  const { major, minor } = isDevice ? entry : { major: 0, minor: 0 };

  const pax = new Map<string, Uint8Array>();
  const nameField = (key: string, value: Uint8Array) => {
    if (value.length <= tarNameLimit && value.every((byte) => byte < 0x80)) return value;
    pax.set(key, value);
    return placeholder;
  };
  const numberField = (key: 'uid' | 'gid' | 'size', value: number) => {
    if (value < tarNumberLimits[key]) return value;
    pax.set(key, Buffer.from(`${value}`));
    return 0;
  };
  const fitsTime = mtime >= 0 && mtime < tarNumberLimits.mtime;
  if (!fitsTime || entry.mtimeNs) pax.set('mtime', Buffer.from(paxTime(entry)));
  const header = encodeTarHeader({
    name: nameField('path', name),
    linkName: nameField('linkpath', linkName),
    uid: numberField('uid', uid),
    gid: numberField('gid', gid),
    size: numberField('size', size),
    mtime: fitsTime ? mtime : 0,
    mode,
    type: linkTarget === undefined ? types[entry.kind] : '1',
    major,
    minor,
  });
  for (const [key, value] of [...(entry.xattrs ?? [])].sort(([a], [b]) => compareBytes(a, b)))
    pax.set(`SCHILY.xattr.${key}`, value);
  return pax.size === 0 ? header : Buffer.concat([paxBlocks(pax), header]);
}

function paxBlocks(records: Iterable<readonly [string, Uint8Array]>): Uint8Array {
  const data = encodePax(records);
  const header: TarHeader = {
    name: placeholder,
    linkName: new Uint8Array(),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 0,
    type: 'x',
    major: 0,
    minor: 0,
  };
  return Buffer.concat([encodeTarHeader(header), data, paddingOf(data.length)]);
}

/** Seconds as a decimal number with what fraction is needed. */
function paxTime({ mtime, mtimeNs = 0 }: Entry): string {
  const nanoseconds = BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNs);
  const digits = `${nanoseconds < 0n ? -nanoseconds : nanoseconds}`.padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${nanoseconds < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction && `.${fraction}`}`;
}

/** The zero bytes that fill up the last block of `size` bytes. */
function paddingOf(size: number): Uint8Array {
  return new Uint8Array(-size & (tarBlockSize - 1));
}
