import { closeSync, openSync, readSync } from 'node:fs';
import { Failure } from '../base/errors.ts';
import type { Content } from '../tree/content.ts';

/** Bytes that can be read at any place: how a big file is looked into without loading all of it. */
export interface ByteSource {
  /** What it is, for messages. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * The bytes from `offset` to `offset + length`.
   * @throws Failure `corrupt` when they do not all lie inside.
   */
  read(offset: number, length: number): Buffer;
}

/** A source over bytes in memory; what it gives out shares their memory. */
export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    name,
    size: buffer.length,
    read(offset, length) {
      checkRange(name, buffer.length, offset, length);
      return buffer.subarray(offset, offset + length);
    },
  };
}

/**
 * Calls `use` with the bytes of a content, read from its plain file place by place where it has one. The source is good
 * only until `use` returns. Reads are synchronous: a few small ones a file, for which promises would cost more than the
 * reading.
 */
export async function withByteSource<T>(
  content: Content,
  name: string,
  use: (source: ByteSource) => T,
): Promise<T> {
  if (content.file === undefined) return use(bytesSource(await content.read(), name));
  const descriptor = openSync(content.file, 'r');
  try {
    return use({
      name,
      size: content.size,
      read(offset, length) {
        checkRange(name, content.size, offset, length);
        const bytes = Buffer.allocUnsafe(length);
        for (let filled = 0; filled < length; ) {
          const count = readSync(descriptor, bytes, filled, length - filled, offset + filled);
          if (count === 0) throw outside(name, offset + filled);
          filled += count;
        }
        return bytes;
      },
    });
  } finally {
    closeSync(descriptor);
  }
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
    throw new Failure('corrupt', `${name} points to an impossible place`);
  if (offset + length > size) throw outside(name, offset + length);
}

function outside(name: string, end: number): Failure {
  return new Failure('corrupt', `${name} is cut off: it should reach to byte ${end}`, {
    hint: 'fetch the package again',
  });
}
