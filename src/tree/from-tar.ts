import { ByteReader } from '../archive/byte-reader.ts';
import { decodePax, decodeTarHeader, type TarHeader, tarBlockSize } from '../archive/tar.ts';
import { ArchiveEntries } from './archive-entries.ts';
import { bytesContent, type Content } from './content.ts';
import type { Tree } from './tree.ts';

export interface FromTarOptions {
  /** Moves the bytes of each file elsewhere, `Depot.keep` for one; then no more than one file is in memory. */
  readonly keep?: (content: Content) => Promise<Content>;
  /** What is read, for messages. */
  readonly name?: string;
}

/** What stands in extended headers before the header that it belongs to. */
interface Extensions {
  readonly global: ReadonlyMap<string, Uint8Array>;
  readonly pax: ReadonlyMap<string, Uint8Array>;
  readonly name?: Uint8Array;
  readonly linkName?: Uint8Array;
}

/** The most bytes of an extended header; names and attributes are far smaller (Linux: 4 KiB and 64 KiB each). */
const extensionLimit = 16 << 20;
const xattrPrefix = 'SCHILY.xattr.';

/**
 * The tree in a tar archive: ustar, pax (long names, large numbers, fractions of mtime, SCHILY.xattr), and GNU long names.
 * A name given twice counts the last time. Hard links are one group, called by the first of its names.
 * @throws Failure `corrupt` on damage or a missing end, `hostile` for names that leave the tree, `failed` for kinds that
 * have no place in a tree, such as sparse files.
 */
export async function treeFromTar(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  { keep = async (content) => content, name = 'tar archive' }: FromTarOptions = {},
): Promise<Tree> {
  const reader = new ByteReader(source, name);
  const entries = new ArchiveEntries(name);
  try {
    let extensions: Extensions = { global: new Map(), pax: new Map() };
    for (;;) {
      const block = await reader.read(tarBlockSize);
      const header = entries.named(() => decodeTarHeader(block));
      if (header === undefined) break;
      if ('xgLK'.includes(header.type)) {
        extensions = await readExtension(reader, entries, header, extensions);
      } else {
        await readEntry(reader, entries, header, extensions, keep);
        extensions = { global: extensions.global, pax: new Map() };
      }
    }
    for await (const _ of reader.rest()); // what decompresses the source checks its own end only when asked for all
  } finally {
    await reader.close();
  }
  return entries.tree();
}

async function readExtension(
  reader: ByteReader,
  entries: ArchiveEntries,
  header: TarHeader,
  extensions: Extensions,
): Promise<Extensions> {
  if (header.size > extensionLimit)
    throw entries.failure('hostile', `an extended tar header of ${header.size} bytes`);
  const data = await readData(reader, header.size);
  const untilNul = data.subarray(0, data.includes(0) ? data.indexOf(0) : data.length);
  switch (header.type) {
    case 'L':
      return { ...extensions, name: untilNul };
    case 'K':
      return { ...extensions, linkName: untilNul };
    case 'g':
      return {
        ...extensions,
        global: new Map([...extensions.global, ...entries.named(() => decodePax(data))]),
      };
    default:
      return { ...extensions, pax: entries.named(() => decodePax(data)) };
  }
}

async function readEntry(
  reader: ByteReader,
  entries: ArchiveEntries,
  header: TarHeader,
  extensions: Extensions,
  keep: (content: Content) => Promise<Content>,
): Promise<void> {
  const records = new Map([...extensions.global, ...extensions.pax]);
  const name = entries.text(records.get('path') ?? extensions.name ?? header.name);
  const target = entries.text(records.get('linkpath') ?? extensions.linkName ?? header.linkName);
  const number = (key: string, otherwise: number) => paxInteger(entries, records, key) ?? otherwise;
  const size = number('size', header.size);
  const metadata = {
    mode: header.mode,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    ...paxTime(entries, records, header.mtime),
    ...paxXattrs(records),
  };
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.')) || header.type === 'S')
    throw entries.failure('failed', `${name} is a sparse file`, 'pack it again without --sparse');

  switch (header.type) {
    case '0':
    case '7': {
      const content = bytesContent(Buffer.from(await readData(reader, size))); // a copy: the chunk can go
      return entries.add(name, { kind: 'file', ...metadata, content: await keep(content) });
    }
    case '1':
      await readData(reader, size);
      return entries.link(name, target);
    case '2':
      return entries.add(name, { kind: 'symlink', ...metadata, target });
    case '3':
    case '4': {
      const kind = header.type === '3' ? 'character' : 'block';
      return entries.add(name, { kind, ...metadata, major: header.major, minor: header.minor });
    }
    case '5':
      return entries.add(name, { kind: 'directory', ...metadata });
    case '6':
      return entries.add(name, { kind: 'fifo', ...metadata });
    default:
      throw entries.failure('failed', `${name} has the unknown tar type ${JSON.stringify(header.type)}`);
  }
}

/** Data of an entry, which fill whole blocks. */
async function readData(reader: ByteReader, size: number): Promise<Uint8Array> {
  const data = await reader.read(size);
  await reader.read(-size & (tarBlockSize - 1));
  return data;
}

function paxInteger(
  entries: ArchiveEntries,
  records: ReadonlyMap<string, Uint8Array>,
  key: string,
): number | undefined {
  const value = records.get(key);
  if (value === undefined) return undefined;
  const parsed = /^\d+$/.test(latin1(value)) ? Number(latin1(value)) : Number.NaN;
  if (!Number.isSafeInteger(parsed)) throw entries.failure('corrupt', `wrong ${key} in a pax header`);
  return parsed;
}

/** `mtime` of a pax header is a decimal number of seconds, which may be negative and have a fraction. */
function paxTime(
  entries: ArchiveEntries,
  records: ReadonlyMap<string, Uint8Array>,
  otherwise: number,
): { mtime: number; mtimeNs?: number } {
  const value = records.get('mtime');
  if (value === undefined) return { mtime: otherwise };
  const [, sign, whole, fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(latin1(value)) ?? [];
  if (whole === undefined) throw entries.failure('corrupt', 'wrong mtime in a pax header');
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  const seconds = sign === '-' ? -Number(whole) : Number(whole);
  if (nanoseconds === 0) return { mtime: seconds + 0 };
  return sign === '-'
    ? { mtime: seconds - 1, mtimeNs: 1e9 - nanoseconds }
    : { mtime: seconds, mtimeNs: nanoseconds };
}

function paxXattrs(records: ReadonlyMap<string, Uint8Array>): { xattrs?: ReadonlyMap<string, Uint8Array> } {
  const xattrs = new Map<string, Uint8Array>();
  for (const [key, value] of records)
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value));
  return xattrs.size > 0 ? { xattrs } : {};
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
