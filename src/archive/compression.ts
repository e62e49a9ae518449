import { pipeline } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { xz } from '@napi-rs/lzma';
import { bounded } from '../base/bounded.ts';
import { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { ByteReader } from './byte-reader.ts';
import { xzBlocks } from './xz-block.ts';
import { nextZstdFrame } from './zstd-frame.ts';

export type CompressionFormat = 'gzip' | 'xz' | 'zstd' | 'none';

export interface DecompressOptions {
  /** The most bytes that may come out; 8 GiB by default. */
  readonly limit?: number;
  /** What is read, for messages. */
  readonly name?: string;
}

const defaultLimit = 8 * 2 ** 30;
/** Bytes that a decoder gives at one time; with the 16 KiB of Node it spends a quarter of its time on handing them out. */
const decodedChunk = 1 << 18;
const defaultLevels = { gzip: 9, xz: 6, zstd: 3 } as const;
/** Blocks of an .xz file that are decoded at the same time. */
const xzWidth = 2;

/** The format of a file by its first six bytes: RFC 1952, the .xz file format, RFC 8878. */
export function detectCompression(head: Uint8Array): CompressionFormat {
  const hex = Buffer.from(head.subarray(0, 6)).toString('hex');
  if (hex.startsWith('1f8b')) return 'gzip';
  if (hex === 'fd377a585a00') return 'xz';
  const isSkippableFrame = /^5.2a4d18/.test(hex);
  return hex.startsWith('28b52ffd') || isSkippableFrame ? 'zstd' : 'none';
}

/**
 * The plain bytes of a compressed file, its format known by magic; bytes in no known format come back as they are.
 * Members, frames or streams one after the other are one content.
 * @throws Failure `corrupt` when it is damaged or cut off, `hostile` when more than `limit` bytes come out.
 */
export async function decompress(bytes: Uint8Array, options: DecompressOptions = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompressStream(one(bytes), options)) chunks.push(chunk);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/**
 * `decompress` for a source that is too large for memory. The plain bytes come as soon as they are known; an .xz file
 * comes block by block, with at most three of its blocks in memory.
 */
export async function* decompressStream(
  source: AsyncIterable<Uint8Array>,
  { limit = defaultLimit, name = 'compressed data' }: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source, name);
  try {
    yield* bounded(decoded(reader, limit), limit, `${name}, decompressed,`);
  } finally {
    await reader.close();
  }
}

async function* decoded(reader: ByteReader, limit: number): AsyncIterable<Uint8Array> {
  switch (detectCompression(await reader.peek(6))) {
    case 'gzip':
      return yield* through(zlib.createGunzip({ chunkSize: decodedChunk }), reader.rest(), reader);
    case 'zstd':
      while (!(await reader.atEnd())) yield* decodeZstdFrame(reader);
      return;
    case 'xz':
      return yield* decodeXz(reader, limit);
    case 'none':
      return yield* reader.rest();
  }
}

async function* decodeZstdFrame(reader: ByteReader): AsyncIterable<Uint8Array> {
  if ((await reader.peek(4))[0] !== 0x28) for await (const _ of nextZstdFrame(reader));
  else yield* through(zlib.createZstdDecompress({ chunkSize: decodedChunk }), nextZstdFrame(reader), reader);
}

async function* decodeXz(reader: ByteReader, limit: number): AsyncIterable<Uint8Array> {
  const decoding: Promise<Uint8Array>[] = [];
  for await (const block of xzBlocks(reader, limit)) {
    const plain = xz.decompress(block).catch((error) => {
      throw damaged(reader, error);
    });
    plain.catch(() => {}); // reported when its turn comes, unless an earlier block failed
    if (decoding.push(plain) > xzWidth) yield await decoding.shift()!;
  }
  for (const plain of decoding) yield await plain;
}

/** What a zlib stream makes of `source`. */
async function* through(
  decoder: zlib.Gunzip | zlib.ZstdDecompress,
  source: AsyncIterable<Uint8Array>,
  reader: ByteReader,
): AsyncIterable<Uint8Array> {
  pipeline(source, decoder, () => {}); // an error destroys the decoder, and so reaches the loop
  try {
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw error instanceof Failure ? error : damaged(reader, error);
  }
}

function damaged({ name }: ByteReader, cause: unknown): Failure {
  return new Failure('corrupt', `${name} is damaged or cut off`, { cause, hint: 'get the file again' });
}

/**
 * Compresses in one go. The same bytes, format and level give the same result.
 * zstd carries its checksum; xz has a CRC32, the only check that the kernel's decoder knows (Documentation/staging/xz.rst).
 * @throws Failure `missing-tool` for xz without the program `xz`.
 */
export async function compress(
  bytes: Uint8Array,
  format: CompressionFormat,
  level?: number,
): Promise<Uint8Array> {
  switch (format) {
    case 'gzip':
      return withFixedHeader(await promisify(zlib.gzip)(bytes, { level: level ?? defaultLevels.gzip }));
    case 'zstd':
      return promisify(zlib.zstdCompress)(bytes, {
        params: {
          [zlib.constants.ZSTD_c_compressionLevel]: level ?? defaultLevels.zstd,
          [zlib.constants.ZSTD_c_checksumFlag]: 1,
        },
      });
    case 'xz':
      return compressXz(bytes, level ?? defaultLevels.xz);
    case 'none':
      return bytes;
  }
}

/** No time, and Unix as the operating system whatever zlib was built for (RFC 1952 section 2.3). */
function withFixedHeader(gzip: Uint8Array): Uint8Array {
  gzip.fill(0, 4, 8);
  gzip[9] = 3;
  return gzip;
}

/** By the program, because the library stores without compressing. One thread, so that the result is one block. */
async function compressXz(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  const args = ['--format=xz', '--check=crc32', '--threads=1', `-${level}`, '--stdout'];
  return (await run('xz', args, { input: bytes, package: 'xz-utils' })).stdout;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
