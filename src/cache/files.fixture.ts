/** Files with their blocks, and what a cache makes of them, for tests and the processes that they start. */
import { createCipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { sha256 } from '../base/digest.ts';
import { blockKey, blockSize, initBlockCodec } from '../flist/block/block-codec.ts';
import type { FileCache } from './file-cache.ts';
import { fileName, type PlainFile } from './plain-file.ts';

await initBlockCodec();

/** A file with the bytes of its blocks. The ids are made up, as the cache only takes them for names. */
export interface TestFile extends PlainFile {
  readonly bytes: Buffer;
  plain(index: number): Buffer;
}

export function fileOf(bytes: Buffer): TestFile {
  const plain = (index: number) => bytes.subarray(index * blockSize, (index + 1) * blockSize);
  const count = Math.ceil(bytes.length / blockSize);
  const blocks = Array.from({ length: count }, (_, i) => {
    const key = blockKey(plain(i));
    return { id: sha256(key), key, size: plain(i).length };
  });
  return { bytes, plain, size: bytes.length, count, block: (index) => blocks[index]! };
}

export function randomFile(size: number): TestFile {
  return fileOf(randomBytes(size));
}

/** The same bytes for the same seed, without any zeros to speak of. */
export function seededFile(size: number, seed: number): TestFile {
  const key = Buffer.alloc(16);
  key.writeUInt32LE(seed);
  return fileOf(createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size)));
}

/** Three blocks, the last one small. */
export const threeBlocks = 2 * blockSize + 1000;

/** Where the cache has a file: a block, or a file of several with an ending. */
export function placeOf(directory: string, file: PlainFile, ending = ''): string {
  const name = fileName(file);
  if (file.count === 1) return join(directory, name.slice(0, 2), name.slice(2, 4), name);
  return join(directory, 'files', name.slice(0, 2), name + ending);
}

export function putAll(cache: FileCache, file: TestFile): void {
  for (let i = 0; i < file.count; i++) cache.put(file, i, file.plain(i));
}

/** What the cache gives: the bytes, or undefined for a miss. */
export function readPart(
  cache: FileCache,
  file: PlainFile,
  { at = 0, length, verify = true }: { at?: number; length?: number; verify?: boolean } = {},
): Buffer | undefined {
  const target = Buffer.alloc(length ?? file.size - at);
  return cache.readInto(target, file, at, verify) ? target : undefined;
}

/** Whether the cache gives the whole file. @throws when it gives wrong bytes. */
export function gives(cache: FileCache, file: TestFile): boolean {
  const given = readPart(cache, file);
  if (given !== undefined && !given.equals(file.bytes)) throw new Error('the file is wrong');
  return given !== undefined;
}

/** Which blocks the cache gives. @throws when it gives wrong bytes. */
export function blocksGiven(cache: FileCache, file: TestFile, verify = true): boolean[] {
  return Array.from({ length: file.count }, (_, i) => {
    const plain = file.plain(i);
    const given = readPart(cache, file, { at: i * blockSize, length: plain.length, verify });
    if (given !== undefined && !given.equals(plain)) throw new Error(`block ${i} is wrong`);
    return given !== undefined;
  });
}
