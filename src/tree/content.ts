import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { Failure } from '../base/errors.ts';
import { FileRange, type OpenFile, readFully } from '../base/file-range.ts';
import { systemPath } from '../base/names.ts';

/**
 * The bytes of a regular file, readable when somebody wants them. A content never changes: two reads give the same
 * bytes, or fail.
 */
export interface Content {
  /** Length in bytes. */
  readonly size: number;
  /** SHA-256 as lower-case hex, where it is known without reading. */
  readonly digest?: string;
  /** The plain file that holds exactly these bytes, for readers that want to open it themselves. */
  readonly file?: string;
  /** Where these bytes lie in a larger file, for readers that want to open it themselves. */
  readonly slice?: { readonly file: string; readonly offset: number };
  /** How `file` was when it was found; where this is known, a reader compares. */
  readonly state?: FileState;
  /** All bytes at once. */
  read(): Promise<Uint8Array>;
  /** The bytes in order, in chunks of any size. */
  chunks(): AsyncIterable<Uint8Array>;
}

/** What changes when the bytes of a file change: nothing else than a write sets `ctimeNs` back. */
export interface FileState {
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  /** Of the last change to the bytes or the metadata, in nanoseconds since the epoch. */
  readonly ctimeNs: bigint;
  /**
   * After it no directory between the root of the walk and the file was renamed, so that what has this path now had it then too. Absent
   * where nobody looked.
   */
  readonly pathNs?: bigint;
}

/** A content that is already in memory. */
export function bytesContent(bytes: Uint8Array | string, digest?: string): Content {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  return {
    size: data.length,
    ...(digest !== undefined && { digest }),
    read: async () => data,
    async *chunks() {
      if (data.length > 0) yield data;
    },
  };
}

/**
 * A content that lies in a plain file.
 * @throws Failure `corrupt` on reading when the file no longer has `size` bytes.
 */
export function fileContent(file: string, size: number, digest?: string): Content {
  const changed = (found: number) =>
    new Failure('corrupt', `${file} has ${found} bytes, expected ${size}`, {
      hint: 'the file changed or was cut off; build again, or delete .zosbuilder/ if it lies there',
    });
  return {
    size,
    ...(digest !== undefined && { digest }),
    file,
    async read() {
      const bytes = await readFile(systemPath(file));
      if (bytes.length !== size) throw changed(bytes.length);
      return bytes;
    },
    async *chunks() {
      let found = 0;
      for await (const chunk of createReadStream(systemPath(file), {
        highWaterMark: 1 << 20,
      }) as AsyncIterable<Buffer>) {
        found += chunk.length;
        if (found > size) throw changed(found);
        yield chunk;
      }
      if (found !== size) throw changed(found);
    },
  };
}

/** The content of a file of this machine, as a walk found it. A class, because a walk finds a million of them. */
export class FoundContent implements Content {
  readonly file: string;
  readonly size: number;
  readonly state: FileState;

  /** @param file its path, as `decodeName` gives it. */
  constructor(file: string, size: number, state: FileState) {
    this.file = file;
    this.size = size;
    this.state = state;
  }

  read(): Promise<Uint8Array> {
    return fileContent(this.file, this.size).read();
  }

  chunks(): AsyncIterable<Uint8Array> {
    return fileContent(this.file, this.size).chunks();
  }
}

/**
 * A content that lies in an open file from `offset` on.
 * @throws Failure `corrupt` on reading when the file ends before.
 */
export class SliceContent implements Content {
  readonly size: number;
  readonly source: OpenFile;
  readonly offset: number;

  constructor(source: OpenFile, offset: number, size: number) {
    this.source = source;
    this.offset = offset;
    this.size = size;
  }

  get slice(): { file: string; offset: number } {
    return { file: this.source.path, offset: this.offset };
  }

  /** The content of `size` bytes that begins at `offset` of this one. */
  part(offset: number, size: number): SliceContent {
    if (offset + size > this.size) throw new RangeError(`${this.size} bytes have no ${size} at ${offset}`);
    return new SliceContent(this.source, this.offset + offset, size);
  }

  async read(): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(this.size);
    await readFully(this.source, bytes, this.offset);
    return bytes;
  }

  chunks(): AsyncIterable<Uint8Array> {
    return new FileRange(this.source, this.offset, this.offset + this.size);
  }
}

/** The bytes of a content in blocks of exactly `blockSize`, but for the last one. */
export async function* blocksOf(content: Content, blockSize: number): AsyncIterable<Uint8Array> {
  if (content.file !== undefined) {
    yield* blocksOfFile(content, blockSize);
    return;
  }
  let pending: Uint8Array[] = [];
  let pendingSize = 0;
  for await (const chunk of content.chunks()) {
    let rest = chunk;
    while (pendingSize + rest.length >= blockSize) {
      const taken = blockSize - pendingSize;
      yield pendingSize === 0
        ? rest.subarray(0, taken)
        : Buffer.concat([...pending, rest.subarray(0, taken)]);
      pending = [];
      pendingSize = 0;
      rest = rest.subarray(taken);
    }
    if (rest.length > 0) {
      pending.push(rest);
      pendingSize += rest.length;
    }
  }
  if (pendingSize > 0) yield pending.length === 1 ? pending[0]! : Buffer.concat(pending);
}

async function* blocksOfFile(content: Content, blockSize: number): AsyncIterable<Uint8Array> {
  const handle = await open(systemPath(content.file!), 'r');
  try {
    for (let offset = 0; offset < content.size; offset += blockSize) {
      const block = Buffer.allocUnsafe(Math.min(blockSize, content.size - offset));
      let filled = 0;
      while (filled < block.length) {
        const { bytesRead } = await handle.read(block, filled, block.length - filled, offset + filled);
        if (bytesRead === 0)
          throw new Failure(
            'corrupt',
            `${content.file} ends at ${offset + filled}, expected ${content.size} bytes`,
            {
              hint: 'the file changed while it was read; run the command again',
            },
          );
        filled += bytesRead;
      }
      yield block;
    }
  } finally {
    await handle.close();
  }
}
