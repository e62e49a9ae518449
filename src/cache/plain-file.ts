import { blockKey, blockSize } from '../flist/block/block-codec.ts';

/** A block of a file as the cache knows it: its names, and the length of its plain bytes. */
export interface PlainBlock {
  /** BLAKE2b-256 of the stored form, 64 hex digits: the name in the store and in the cache. */
  readonly id: string;
  /** BLAKE2b-256 of the plain bytes, 64 hex digits. */
  readonly key: string;
  readonly size: number;
}

/** A file as its blocks. Keep the object for further calls: the name of the file in the cache is computed once for each. */
export interface PlainFile {
  /** Bytes in all. */
  readonly size: number;
  /** Number of blocks: every one but the last has `blockSize` bytes. */
  readonly count: number;
  /** The block at a place, counted from 0. */
  block(index: number): PlainBlock;
}

/** Bytes of a key, and of a name. */
export const digestSize = 32;

/** Whether the size of a file and the number of its blocks fit together, which a hostile manifest need not make sure of. */
export function hasAllBlocks({ size, count }: PlainFile): boolean {
  return count > 0 && count === Math.ceil(size / blockSize);
}

/** Bytes of the block of a file at a place. */
export function sizeOfBlock(size: number, index: number): number {
  return Math.min(blockSize, size - index * blockSize);
}

let zeroKey: string | undefined;

/** Whether a block is full and all zeros: a hole is as good as it. */
export function isZeroBlock({ key, size }: PlainBlock): boolean {
  if (size !== blockSize) return false;
  zeroKey ??= blockKey(Buffer.alloc(blockSize));
  return key === zeroKey;
}

/** What names a file of several blocks: its size as 64 bits, the lowest byte first, and the keys of its blocks in order. */
export function fileIdentity(file: PlainFile): Buffer {
  const identity = Buffer.allocUnsafe(8 + file.count * digestSize);
  identity.writeBigUInt64LE(BigInt(file.size), 0);
  for (let i = 0; i < file.count; i++) identity.write(file.block(i).key, 8 + i * digestSize, 'hex');
  return identity;
}

const names = new WeakMap<PlainFile, string>();

/**
 * The name of a file in the cache, 64 hex digits. A file of one block has that of the block; others the BLAKE2b-256 of their
 * identity, so that equal files have one name whoever packed them.
 */
export function fileName(file: PlainFile): string {
  let name = names.get(file);
  if (name === undefined) {
    name = file.count === 1 ? file.block(0).id : blockKey(fileIdentity(file));
    names.set(file, name);
  }
  return name;
}

const repetitions = new WeakMap<PlainFile, ReadonlyMap<number, number>>();

/** The first place in a file with the block of a place: that place itself, where the file has the block only once. */
export function firstPlace(file: PlainFile, index: number): number {
  let known = repetitions.get(file);
  if (known === undefined) {
    known = repetitionsOf(file);
    repetitions.set(file, known);
  }
  return known.get(index) ?? index;
}

/** By place: the first one with the same block. Zeros are not looked for: holes are as good. */
function repetitionsOf(file: PlainFile): Map<number, number> {
  const firsts = new Map<string, number>();
  const found = new Map<number, number>();
  for (let index = 0; index < file.count; index++) {
    const block = file.block(index);
    const first = firsts.get(block.key);
    if (first === undefined) firsts.set(block.key, index);
    else if (block.size === file.block(first).size && !isZeroBlock(block)) found.set(index, first);
  }
  return found;
}
