import { Failure } from '../base/errors.ts';
import type { ByteReader } from './byte-reader.ts';
import { tarBlockSize, tarNumber } from './tar.ts';

/** A piece of a file that has data; what is in no piece is a hole. */
export interface Segment {
  readonly offset: number;
  readonly size: number;
}

/** A file with holes, of which an archive has the pieces one after the other. */
export interface SparseMap {
  /** Of the whole file. */
  readonly size: number;
  /** Ascending and apart. */
  readonly segments: readonly Segment[];
  /** Bytes in the archive: those of all segments. */
  readonly dataSize: number;
}

/** Fields of old GNU headers: the first pieces, whether more come in blocks of their own, and the true size. */
const oldGnu = { first: 386, inHeader: 4, inBlock: 21, pieceSize: 24, more: 482, size: 483 };
/** Far more pieces than any file has. */
const mostSegments = 1 << 20;

/**
 * The holes of a file as GNU tar writes them (its manual, "Storing Sparse Files"): in headers of type `S`, or in pax records of
 * the formats 0.1 and 1.0; undefined for a file without. Format 1.0 has them before the data, from which they are read.
 * @param size bytes that the header says to follow
 * @throws Failure `corrupt` for pieces that are out of order or bounds, `failed` for format 0.0, whose records have equal names
 */
export async function readSparseMap(
  reader: ByteReader,
  header: { readonly type: string; readonly block: Uint8Array },
  records: ReadonlyMap<string, Uint8Array>,
  size: number,
): Promise<SparseMap | undefined> {
  const record = (name: string) => records.get(`GNU.sparse.${name}`);
  if (header.type === 'S') return readOldGnu(reader, header.block, size);
  if (record('major') !== undefined) {
    const version = `${text(record('major')!)}.${text(record('minor') ?? Buffer.of())}`;
    if (version === '1.0') return readVersion1(reader, decimal(record('realsize')), size);
  } else if (record('map') !== undefined) {
    return checked(pairs(text(record('map')!).split(',').map(decimalText)), decimal(record('size')), size);
  }
  if (![...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) return undefined;
  throw new Failure('failed', 'a sparse file in a format that is not supported', {
    hint: 'pack it again without --sparse',
  });
}

async function readOldGnu(reader: ByteReader, block: Uint8Array, dataSize: number): Promise<SparseMap> {
  const size = tarNumber(block, oldGnu.size, 12);
  const segments = oldGnuSegments(block, oldGnu.first, oldGnu.inHeader);
  for (let more = block[oldGnu.more] === 1; more; ) {
    const next = await reader.read(tarBlockSize);
    segments.push(...oldGnuSegments(next, 0, oldGnu.inBlock));
    if (segments.length > mostSegments) throw wrong();
    more = next[oldGnu.inBlock * oldGnu.pieceSize] === 1;
  }
  return checked(segments, size, dataSize);
}

function oldGnuSegments(block: Uint8Array, start: number, count: number): Segment[] {
  const segments: Segment[] = [];
  for (let at = start; at < start + count * oldGnu.pieceSize && block[at] !== 0; at += oldGnu.pieceSize)
    segments.push({ offset: tarNumber(block, at, 12), size: tarNumber(block, at + 12, 12) });
  return segments;
}

/** A line with the number of pieces, then a line with the offset and one with the size of each, up to a whole block. */
async function readVersion1(reader: ByteReader, size: number, stored: number): Promise<SparseMap> {
  const start = reader.offset;
  const numbers: number[] = [];
  for (let line = ''; numbers.length === 0 || numbers.length <= 2 * numbers[0]!; ) {
    if (reader.offset - start >= stored || numbers[0]! > mostSegments) throw wrong();
    const lines = (line + text(await reader.read(tarBlockSize))).split('\n');
    line = lines.pop()!;
    const wanted = numbers.length === 0 ? 1 + 2 * decimalText(lines[0] ?? '') : 1 + 2 * numbers[0]!;
    numbers.push(...lines.slice(0, wanted - numbers.length).map(decimalText));
  }
  return checked(pairs(numbers.slice(1)), size, stored - (reader.offset - start));
}

function pairs(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw wrong();
  return Array.from({ length: numbers.length / 2 }, (_, i) => ({
    offset: numbers[2 * i]!,
    size: numbers[2 * i + 1]!,
  }));
}

function checked(segments: readonly Segment[], size: number, dataSize: number): SparseMap {
  let [end, sum] = [0, 0];
  for (const segment of segments) {
    if (segment.offset < end) throw wrong();
    end = segment.offset + segment.size;
    sum += segment.size;
  }
  if (end > size || sum !== dataSize) throw wrong();
  return { size, segments, dataSize };
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
const decimal = (bytes: Uint8Array | undefined) => decimalText(text(bytes ?? Buffer.of()));

function decimalText(digits: string): number {
  const value = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw wrong();
  return value;
}

const wrong = () => new Failure('corrupt', 'a sparse file whose pieces do not fit together');
