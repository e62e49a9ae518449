import { blockKey, blockSize } from '../flist/block/block-codec.ts';
import { digestSize } from './plain-file.ts';

/**
 * Which blocks of a file of several are there, and what they are. A map lies beside its file, whole or in part, and is: eight bytes of magic; the identity of the file (its size and the keys of
 * its blocks, see `fileIdentity`), whose digest is the name of the file; and a byte for each block, 1 when it is there. A
 * whole byte, because then threads and processes that know nothing of each other can each set theirs. What a map says is only
 * where to look: no block is believed before it was hashed.
 */
const magic = Buffer.from('zosmap1\n');

/** More blocks than a file can have that JavaScript can count the bytes of. */
const mostBlocks = Number.MAX_SAFE_INTEGER / blockSize;

/** Bytes of the map of a file of so many blocks. */
export function mapSize(count: number): number {
  return flagAt(count, count);
}

/** Where the byte of a block is in the map of a file of `count` blocks. */
export function flagAt(count: number, index: number): number {
  return magic.length + 8 + count * digestSize + index;
}

/** What the map of a file of so many bytes begins with. */
export function encodeMapStart(size: number): Buffer {
  const start = Buffer.alloc(magic.length + 8, magic);
  start.writeBigUInt64LE(BigInt(size), magic.length);
  return start;
}

/** The map of a file. */
export function encodeMap(identity: Uint8Array, flags: Uint8Array): Buffer {
  return Buffer.concat([magic, identity, flags]);
}

export interface BlockMap {
  /** Bytes of the file. */
  readonly size: number;
  /** The keys of its blocks, 64 hex digits each. */
  readonly keys: readonly string[];
  /** One byte a block: 1 when it is there. */
  readonly flags: Uint8Array;
}

/** Reads a map; undefined when it is none, or not that of the file of this name. */
export function parseMap(bytes: Buffer, name: string): BlockMap | undefined {
  const start = magic.length;
  if (bytes.length < start + 8 || !bytes.subarray(0, start).equals(magic)) return undefined;
  const size = Number(bytes.readBigUInt64LE(start));
  const count = Math.ceil(size / blockSize);
  if (count > mostBlocks || bytes.length !== mapSize(count)) return undefined;
  const end = flagAt(count, 0);
  if (blockKey(bytes.subarray(start, end)) !== name) return undefined;
  const hex = bytes.toString('hex', start + 8, end);
  const keys = Array.from({ length: count }, (_, i) => hex.slice(i * 64, (i + 1) * 64));
  return { size, keys, flags: bytes.subarray(end) };
}
