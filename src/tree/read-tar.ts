import { ByteReader } from '../archive/byte-reader.ts';
import { decodePax, decodeTarHeader, type TarHeader, tarBlockSize } from '../archive/tar.ts';
import { readSparseMap } from '../archive/tar-sparse.ts';
import { decodeName } from '../base/names.ts';
import { ArchiveFailures } from './archive-failures.ts';
import type { Content } from './content.ts';
import { sparseContent } from './sparse-content.ts';
import type { Entry } from './tree.ts';

/** The data of a file in an archive, at the moment when the archive is read there. */
export interface TarData {
  /** Where they begin, counted from the start of the archive. */
  readonly offset: number;
  readonly size: number;
  /** All of them. They may be a view into a chunk of the archive. Data that are not read are skipped. */
  read(): Promise<Uint8Array>;
}

/** One member of an archive: an entry, or a further name for an earlier member. The name is as the archive has it. */
export type TarMember =
  | { readonly name: string; readonly entry: Entry }
  | { readonly name: string; readonly linkTo: string };

export interface ReadTarOptions {
  /** What the content of each file is. */
  readonly content: (data: TarData) => Content | Promise<Content>;
  /** What is read, for messages. */
  readonly name?: string;
  /** Whether the archive may stop without the block of zeros that ends it. */
  readonly mayLackEnd?: boolean;
}

/** What stands in extended headers before the header that it belongs to. */
interface Extensions {
  readonly global: ReadonlyMap<string, Uint8Array>;
  readonly pax: ReadonlyMap<string, Uint8Array>;
  readonly name?: Uint8Array;
  readonly linkName?: Uint8Array;
}

const noRecords: ReadonlyMap<string, Uint8Array> = new Map();
/** The most bytes of an extended header; names and attributes are far smaller (Linux: 4 KiB and 64 KiB each). */
const extensionLimit = 16 << 20;
/** The longest name and link target that Linux takes (limits.h: PATH_MAX with its NUL). */
const longestPath = 4095;
const xattrPrefix = 'SCHILY.xattr.';

/**
 * The members of a tar archive in their order: ustar, pax (long names, large numbers, fractions of mtime, SCHILY.xattr), and
 * GNU long names. The source is read to its end, what follows the archive included.
 * @throws Failure `corrupt` on damage or a missing end, `hostile` for extended headers and names beyond measure, `failed` for kinds
 * that have no place in a tree.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  { content, name = 'tar archive', mayLackEnd = false }: ReadTarOptions,
): AsyncGenerator<TarMember> {
  const reader = new ByteReader(source, name);
  const failures = new ArchiveFailures(name);
  try {
    let extensions: Extensions = { global: noRecords, pax: noRecords };
    while (!(mayLackEnd && (await reader.atEnd()))) {
      const block = await reader.read(tarBlockSize);
      const header = failures.named(() => decodeTarHeader(block));
      if (header === undefined) break;
      if ('xgLK'.includes(header.type)) {
        extensions = await readExtension(reader, failures, header, extensions);
      } else {
        yield await readMember(reader, failures, { ...header, block }, extensions, content);
        extensions = { global: extensions.global, pax: noRecords };
      }
    }
    for await (const _ of reader.rest()); // what decompresses the source checks its own end only when asked for all
  } finally {
    await reader.close();
  }
}

async function readExtension(
  reader: ByteReader,
  failures: ArchiveFailures,
  header: TarHeader,
  extensions: Extensions,
): Promise<Extensions> {
  if (header.size > extensionLimit)
    throw failures.failure('hostile', `an extended tar header of ${header.size} bytes`);
  const data = Uint8Array.from(await reader.read(header.size)); // a copy: the chunk can go
  await reader.skip(paddingOf(header.size));
  const untilNul = data.subarray(0, data.includes(0) ? data.indexOf(0) : data.length);
  switch (header.type) {
    case 'L':
      return { ...extensions, name: untilNul };
    case 'K':
      return { ...extensions, linkName: untilNul };
    case 'g':
      return {
        ...extensions,
        global: new Map([...extensions.global, ...failures.named(() => decodePax(data))]),
      };
    default:
      return { ...extensions, pax: failures.named(() => decodePax(data)) };
  }
}

async function readMember(
  reader: ByteReader,
  failures: ArchiveFailures,
  header: TarHeader & { readonly block: Uint8Array },
  { global, pax, ...long }: Extensions,
  content: ReadTarOptions['content'],
): Promise<TarMember> {
  const records = global.size === 0 ? pax : new Map([...global, ...pax]);
  const text = (bytes: Uint8Array) => {
    if (bytes.length > longestPath)
      throw failures.failure('hostile', `a name of ${bytes.length} bytes, longer than Linux can open`);
    return decodeName(bytes);
  };
  const name = text(records.get('GNU.sparse.name') ?? records.get('path') ?? long.name ?? header.name);
  const target = text(records.get('linkpath') ?? long.linkName ?? header.linkName);
  const number = (key: string, otherwise: number) => paxInteger(failures, records, key) ?? otherwise;
  const size = number('size', header.size);
  const metadata = {
    mode: header.mode,
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    ...paxTime(failures, records, header.mtime),
    ...paxXattrs(records),
  };
  switch (header.type) {
    case '0':
    case '7':
    case 'S': {
      const bytes = await readContent(reader, failures, header, records, size, content);
      return { name, entry: { kind: 'file', ...metadata, content: bytes } };
    }
    case '1':
      await reader.skip(size + paddingOf(size));
      return { name, linkTo: target };
    case '2':
      return { name, entry: { kind: 'symlink', ...metadata, target } };
    case '3':
    case '4': {
      const kind = header.type === '3' ? 'character' : 'block';
      return { name, entry: { kind, ...metadata, major: header.major, minor: header.minor } };
    }
    case '5':
      return { name, entry: { kind: 'directory', ...metadata } };
    case '6':
      return { name, entry: { kind: 'fifo', ...metadata } };
    default:
      throw failures.failure('failed', `${name} has the unknown tar type ${JSON.stringify(header.type)}`);
  }
}

/** What `content` makes of the data of a file, with its holes; the reader then stands behind them. */
async function readContent(
  reader: ByteReader,
  failures: ArchiveFailures,
  header: { readonly type: string; readonly block: Uint8Array },
  records: ReadonlyMap<string, Uint8Array>,
  stored: number,
  content: ReadTarOptions['content'],
): Promise<Content> {
  const mayBeSparse = header.type === 'S' || records.size > 0;
  const map = mayBeSparse
    ? await readSparseMap(reader, header, records, stored).catch((error) =>
        failures.named(() => raise(error)),
      )
    : undefined;
  const { offset } = reader;
  const size = map?.dataSize ?? stored;
  const made = await content({ offset, size, read: () => reader.read(size) });
  await reader.skip(offset + size + paddingOf(size) - reader.offset);
  return map ? sparseContent(made, map) : made;
}

function raise(error: unknown): never {
  throw error;
}

/** Data fill whole blocks. */
const paddingOf = (size: number) => (tarBlockSize - (size % tarBlockSize)) % tarBlockSize;

function paxInteger(
  failures: ArchiveFailures,
  records: ReadonlyMap<string, Uint8Array>,
  key: string,
): number | undefined {
  const value = records.get(key);
  if (value === undefined) return undefined;
  const parsed = /^\d+$/.test(latin1(value)) ? Number(latin1(value)) : Number.NaN;
  if (!Number.isSafeInteger(parsed)) throw failures.failure('corrupt', `wrong ${key} in a pax header`);
  return parsed;
}

/** `mtime` of a pax header is a decimal number of seconds, which may be negative and have a fraction. */
function paxTime(
  failures: ArchiveFailures,
  records: ReadonlyMap<string, Uint8Array>,
  otherwise: number,
): { mtime: number; mtimeNs?: number } {
  const value = records.get('mtime');
  if (value === undefined) return { mtime: otherwise };
  const [, sign, whole, fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(latin1(value)) ?? [];
  if (whole === undefined) throw failures.failure('corrupt', 'wrong mtime in a pax header');
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  const seconds = sign === '-' ? -Number(whole) : Number(whole);
  if (nanoseconds === 0) return { mtime: seconds + 0 };
  return sign === '-'
    ? { mtime: seconds - 1, mtimeNs: 1e9 - nanoseconds }
    : { mtime: seconds, mtimeNs: nanoseconds };
}

function paxXattrs(records: ReadonlyMap<string, Uint8Array>): { xattrs?: ReadonlyMap<string, Uint8Array> } {
  if (records.size === 0) return {};
  const xattrs = new Map<string, Uint8Array>();
  for (const [key, value] of records)
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), Buffer.from(value));
  return xattrs.size > 0 ? { xattrs } : {};
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
