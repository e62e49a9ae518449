import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { type CacheDirectory, openPlainly } from './cache-directory.ts';
import { quiet, writeNew } from './cache-files.ts';
import { NameTable, type ShortName } from './name-table.ts';

/**
 * What processes tell each other of a cache: a file to which each of them appends records of 16 bytes. A use is the first eight
 * bytes of a name and a time in seconds; growth is a record whose name is zero, and its time says whether its last number adds to the size
 * of the cache (0), or is that size (1), in pages. Who reads nonsense, because a record was torn, evicts the wrong file and no more.
 */
const recordSize = 16;
const [addsTo, isAll] = [0, 1] as const;
const shard = ['state', 'journal'] as const;
const fileName = 'uses';

/** Sizes on the disk are counted in pages. */
export const pageSize = 4096;

export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / pageSize);
}

/** Above this many bytes it is time to write it anew, with one record a name. */
const longest = 16 << 20;

export interface JournalRecord {
  readonly name: ShortName;
  readonly time: number;
  readonly pages: number;
}

export function encodeRecords(records: readonly JournalRecord[]): Buffer {
  const encoded = new EncodedRecords();
  for (const record of records) encoded.add(record);
  return encoded.bytes;
}

/** Records as they are written, as there may be a million of them. */
export class EncodedRecords {
  #bytes = Buffer.alloc(64 * recordSize);
  #end = 0;

  add({ name, time, pages }: JournalRecord): void {
    if (this.#end === this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    const at = this.#end;
    this.#bytes.writeUInt32BE(name[0], at);
    this.#bytes.writeUInt32BE(name[1], at + 4);
    this.#bytes.writeUInt32LE(time, at + 8);
    this.#bytes.writeInt32LE(pages, at + 12);
    this.#end += recordSize;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#end);
  }
}

/** The records in some bytes; what is left at their end belongs to none. */
export function* parseRecords(bytes: Buffer): Generator<JournalRecord> {
  for (let at = 0; at + recordSize <= bytes.length; at += recordSize)
    yield {
      name: [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)],
      time: bytes.readUInt32LE(at + 8),
      pages: bytes.readInt32LE(at + 12),
    };
}

const noName: ShortName = [0, 0];
const isNoName = ({ name }: JournalRecord) => name[0] === 0 && name[1] === 0;

/** That the cache has so many pages more, or less. */
export function growth(pages: number): JournalRecord {
  return { name: noName, time: addsTo, pages };
}

/** The journal of a cache, for one process. */
export class Journal {
  readonly #directory: CacheDirectory;
  /** Inode and birth of the file that was read. */
  #file = '';
  #end = 0;
  #pages: number | undefined;

  constructor(directory: CacheDirectory) {
    this.#directory = directory;
  }

  /** Adds records at the end. @throws what the system says. */
  append(records: readonly JournalRecord[]): void {
    this.#directory.within(shard, true, (path) => {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | openPlainly;
      const file = openSync(`${path}/${fileName}`, flags, 0o644);
      try {
        const { size } = fstatSync(file);
        if (size % recordSize !== 0) ftruncateSync(file, size - (size % recordSize)); // a full disk, or a death
        writeSync(file, encodeRecords(records));
      } finally {
        closeSync(file);
      }
    });
  }

  /** Pages that the cache has on the disk; undefined when nobody has counted them. Reads only what is new. */
  get pages(): number | undefined {
    this.#read((bytes) => {
      for (const record of parseRecords(bytes)) {
        if (!isNoName(record)) continue;
        if (record.time === isAll) this.#pages = record.pages;
        else if (this.#pages !== undefined) this.#pages += record.pages;
      }
    });
    return this.#pages;
  }

  get isLong(): boolean {
    return this.#end > longest;
  }

  /** When each name was last used, in seconds. */
  uses(): NameTable {
    const uses = new NameTable();
    const bytes = quiet(() => this.#open((file) => readFrom(file, 0))) ?? Buffer.alloc(0);
    for (const record of parseRecords(bytes)) {
      if (isNoName(record) || record.time <= uses.get(record.name)) continue;
      uses.set(record.name, record.time);
    }
    return uses;
  }

  /** Puts what somebody has counted in the place of everything. What others append just now may be lost. */
  replace(pages: number, uses: EncodedRecords): void {
    const bytes = Buffer.concat([encodeRecords([{ name: noName, time: isAll, pages }]), uses.bytes]);
    this.#directory.within(shard, true, (path) => {
      writeNew(path, fileName, bytes, (_, temporary) => renameSync(temporary, `${path}/${fileName}`));
    });
  }

  #read(take: (bytes: Buffer) => void): void {
    quiet(() =>
      this.#open((file) => {
        const { ino, birthtimeMs, size } = fstatSync(file);
        if (`${ino} ${birthtimeMs}` !== this.#file || size < this.#end) {
          this.#file = `${ino} ${birthtimeMs}`;
          this.#end = 0;
          this.#pages = undefined;
        }
        if (size === this.#end) return;
        const bytes = readFrom(file, this.#end);
        this.#end += bytes.length;
        take(bytes);
      }),
    );
  }

  #open<Result>(use: (file: number) => Result): Result {
    return this.#directory.within(shard, false, (path) => {
      const file = openSync(`${path}/${fileName}`, constants.O_RDONLY | openPlainly);
      try {
        return use(file);
      } finally {
        closeSync(file);
      }
    });
  }
}

/** Whole records from a place to the end. */
function readFrom(file: number, start: number): Buffer {
  const { size } = fstatSync(file);
  const bytes = Buffer.alloc(Math.max(0, size - start));
  let filled = 0;
  for (let read = 1; read > 0 && filled < bytes.length; filled += read)
    read = readSync(file, bytes, filled, bytes.length - filled, start + filled);
  return bytes.subarray(0, filled - (filled % recordSize));
}
