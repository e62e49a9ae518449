import { crc32 } from 'node:zlib';
import { Failure } from '../base/errors.ts';
import type { ByteReader } from './byte-reader.ts';

interface IndexRecord {
  /** Size of the block without its padding. */
  readonly unpaddedSize: number;
  /** Length of what it decompresses to, as its LZMA2 chunks give it: the decoder can make no more of it. */
  readonly size: number;
}

const magic = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);
/** Size of the integrity check by its id in the stream flags: none, CRC32, CRC64. The decoder knows no other. */
const checkSizes: Readonly<Record<number, number>> = { 0: 0, 1: 4, 4: 8 };
const headerSize = 12;

/**
 * The blocks of the next .xz stream and of those that follow it, each made a whole .xz stream of its own (the .xz file
 * format 1.2.1, tukaani.org/xz). The frame around the blocks (headers, index, footer, padding) is checked here; what is
 * inside is for the decoder.
 * The true size of a block is known before it is decompressed, and large files can be read block by block.
 * @throws Failure `corrupt` on damage, `hostile` when the blocks together would give more than `limit` bytes,
 * `failed` for an integrity check or a filter that the decoder does not know.
 */
export async function* xzBlocks(reader: ByteReader, limit: number): AsyncIterable<Uint8Array> {
  let total = 0;
  do {
    const header = await reader.read(headerSize);
    const flags = header.subarray(6, 8);
    if (!equal(header, encodeHeader(flags))) throw damaged(reader, 'stream header');
    const checkSize = checkSizes[flags[1]!];
    if (checkSize === undefined || flags[0] !== 0) throw unknown(reader, 'integrity check');
    const records: IndexRecord[] = [];
    while ((await reader.peek(1))[0] !== 0) {
      const block = await readBlock(reader, checkSize, limit - total);
      total += block.size;
      records.push(block);
      yield Buffer.concat([header, block.bytes, encodeIndex([block]), encodeFooter(flags, [block])]);
    }
    const index = encodeIndex(records);
    if (!equal(await reader.read(index.length), index)) throw damaged(reader, 'index');
    if (!equal(await reader.read(headerSize), encodeFooter(flags, records)))
      throw damaged(reader, 'stream footer');
    await skipPadding(reader);
  } while (!(await reader.atEnd()));
}

async function readBlock(
  reader: ByteReader,
  checkSize: number,
  limit: number,
): Promise<IndexRecord & { bytes: Uint8Array }> {
  const start = reader.offset;
  const pieces: Uint8Array[] = [];
  const take = async (size: number) => {
    const piece = await reader.read(size);
    pieces.push(piece);
    return piece;
  };
  const sizeByte = (await take(1))[0]!;
  const blockFlags = (await take(sizeByte * 4 + 3))[0]!;
  if ((blockFlags & 3) !== 0) throw unknown(reader, 'filter chain');

  let size = 0;
  for (;;) {
    // LZMA2 chunk: control byte, sizes less one in big-endian order, properties where the control byte says so.
    const control = (await take(1))[0]!;
    if (control === 0) break;
    if (control > 2 && control < 0x80) throw damaged(reader, 'LZMA2 chunk');
    const isCompressed = control >= 0x80;
    const hasProperties = control >= 0xc0;
    const sizes = await take(isCompressed ? 4 : 2);
    const low = ((sizes[0]! << 8) | sizes[1]!) + 1;
    size += isCompressed ? ((control & 0x1f) << 16) + low : low;
    if (size > limit) throw new Failure('hostile', `${reader.name} decompresses to more bytes than allowed`);
    await take(isCompressed ? ((sizes[2]! << 8) | sizes[3]!) + 1 + Number(hasProperties) : low);
  }
  const padding = -(reader.offset - start) & 3;
  await take(padding);
  await take(checkSize);
  return { bytes: Buffer.concat(pieces), unpaddedSize: reader.offset - start - padding, size };
}

function encodeHeader(flags: Uint8Array): Uint8Array {
  return Buffer.concat([magic, flags, littleEndian32(crc32(flags))]);
}

function encodeIndex(records: readonly IndexRecord[]): Uint8Array {
  const bytes = [0, ...multibyte(records.length)];
  for (const { unpaddedSize, size } of records) bytes.push(...multibyte(unpaddedSize), ...multibyte(size));
  while (bytes.length % 4 !== 0) bytes.push(0);
  const index = Uint8Array.from(bytes);
  return Buffer.concat([index, littleEndian32(crc32(index))]);
}

function encodeFooter(flags: Uint8Array, records: readonly IndexRecord[]): Uint8Array {
  const backwardSize = littleEndian32(encodeIndex(records).length / 4 - 1);
  const body = Buffer.concat([backwardSize, flags]);
  return Buffer.concat([littleEndian32(crc32(body)), body, Buffer.from('YZ')]);
}

/** A multibyte integer of the .xz format: seven bits a byte, the lowest first. */
function multibyte(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

/** Between streams and after the last one: zero bytes, a multiple of four. */
async function skipPadding(reader: ByteReader): Promise<void> {
  while ((await reader.peek(1))[0] === 0) {
    const word = await reader.read(4);
    if (word.some((byte) => byte !== 0)) throw damaged(reader, 'stream padding');
  }
}

function littleEndian32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const damaged = (reader: ByteReader, what: string) =>
  new Failure('corrupt', `${reader.name} is damaged: wrong xz ${what} before byte ${reader.offset}`);

const unknown = (reader: ByteReader, what: string) =>
  new Failure('failed', `${reader.name} uses an xz ${what} that is not supported`, {
    hint: 'compress it with xz --check=crc64 and without filters',
  });
