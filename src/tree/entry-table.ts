import { Failure } from '../base/errors.ts';
import type { OpenFile } from '../base/file-range.ts';
import { GrowingArray } from '../base/growing-array.ts';
import { GrowingText } from '../base/growing-text.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { type Content, SliceContent } from './content.ts';
import type { DirectoryEntry, Entry, EntryKind, Metadata } from './tree.ts';

const kinds: readonly EntryKind[] = ['directory', 'file', 'symlink', 'character', 'block', 'fifo', 'socket'];

/** The most bytes of all targets and extended attributes. */
const mostText = 2 ** 30;

/** What few entries have. */
interface Rare {
  readonly hardLink?: string | undefined;
  /** Of a file whose bytes are no slice of an open file. */
  readonly content?: Content | undefined;
}

/**
 * Entries by number, in columns: 57 bytes each, and those of targets and extended attributes, where objects take three times as
 * much and more. They are made again when they are taken.
 */
export class EntryTable {
  readonly #kind = new GrowingArray(Uint8Array);
  readonly #mode = new GrowingArray(Uint32Array);
  readonly #uid = new GrowingArray(Float64Array); // archives have any number
  readonly #gid = new GrowingArray(Float64Array);
  readonly #mtime = new GrowingArray(Float64Array);
  readonly #mtimeNs = new GrowingArray(Uint32Array);
  /** The size of a slice, the length of a target, or the major number of a device. */
  readonly #size = new GrowingArray(Float64Array);
  /** The offset of a slice, that of a target in `text`, or the minor number of a device. */
  readonly #offset = new GrowingArray(Float64Array);
  /** The place in `files` of the file of a slice, from 1. */
  readonly #file = new GrowingArray(Uint32Array);
  readonly #files: OpenFile[] = [];
  /** Where extended attributes begin in `text`, from 1; 0 for none. */
  readonly #xattrs = new GrowingArray(Uint32Array);
  readonly #text = new GrowingText();
  readonly #rare = new Map<number, Rare>();
  #lastXattrs: { readonly bytes: Buffer; readonly start: number } = { bytes: Buffer.of(), start: 0 };

  get length(): number {
    return this.#kind.length;
  }

  /** Adds an entry; returns its number. */
  add(entry: Entry): number {
    for (const column of [this.#uid, this.#gid, this.#mtime, this.#size, this.#offset]) column.extend(1);
    for (const column of [this.#mode, this.#mtimeNs, this.#file, this.#xattrs]) column.extend(1);
    const number = this.#kind.extend(1);
    this.#set(number, entry);
    return number;
  }

  /** Puts a directory in the place of another one. */
  replace(number: number, entry: DirectoryEntry): void {
    this.#set(number, entry);
  }

  /** The entry of a number. */
  get(number: number): Entry {
    const kind = this.kindOf(number);
    const metadata = this.#metadataOf(number);
    const [size, offset] = [this.#size.array[number]!, this.#offset.array[number]!];
    switch (kind) {
      case 'file': {
        const file = this.#files[this.#file.array[number]! - 1];
        const { hardLink, content = new SliceContent(file!, offset, size) } = this.#rare.get(number) ?? {};
        return { kind, ...metadata, content, ...(hardLink !== undefined && { hardLink }) };
      }
      case 'symlink':
        return {
          kind,
          ...metadata,
          target: decodeName(this.#text.bytes.subarray(offset, offset + size)),
        };
      case 'character':
      case 'block':
        return { kind, ...metadata, major: size, minor: offset };
      default:
        return { kind, ...metadata };
    }
  }

  /** What kind an entry is, without making it. */
  kindOf(number: number): EntryKind {
    return kinds[this.#kind.array[number]!]!;
  }

  /** The hard-link group with which an entry came, without making it. */
  hardLinkOf(number: number): string | undefined {
    return this.#rare.get(number)?.hardLink;
  }

  #set(number: number, entry: Entry): void {
    this.#kind.array[number] = kinds.indexOf(entry.kind);
    this.#mode.array[number] = entry.mode;
    this.#uid.array[number] = entry.uid;
    this.#gid.array[number] = entry.gid;
    this.#mtime.array[number] = entry.mtime;
    this.#mtimeNs.array[number] = entry.mtimeNs ?? 0;
    this.#xattrs.array[number] = entry.xattrs === undefined ? 0 : this.#addXattrs(entry.xattrs) + 1;
    const { size, offset, file } = this.#extentOf(entry);
    this.#size.array[number] = size;
    this.#offset.array[number] = offset;
    this.#file.array[number] = file;
    const { hardLink, content } = entry.kind === 'file' ? entry : {};
    const isRare = hardLink !== undefined || (content !== undefined && file === 0);
    if (isRare) this.#rare.set(number, { hardLink, content: file === 0 ? content : undefined });
    if (this.#text.length > mostText)
      throw new Failure('hostile', 'targets of links and extended attributes are larger than 1 GiB together');
  }

  #metadataOf(number: number): Metadata {
    const [mtimeNs, xattrs] = [this.#mtimeNs.array[number]!, this.#xattrs.array[number]!];
    return {
      mode: this.#mode.array[number]!,
      uid: this.#uid.array[number]!,
      gid: this.#gid.array[number]!,
      mtime: this.#mtime.array[number]!,
      ...(mtimeNs > 0 && { mtimeNs }),
      ...(xattrs > 0 && { xattrs: decodeXattrs(this.#text.bytes, xattrs - 1) }),
    };
  }

  #extentOf(entry: Entry): { size: number; offset: number; file: number } {
    switch (entry.kind) {
      case 'file': {
        if (!(entry.content instanceof SliceContent)) break;
        const { size, offset, source } = entry.content;
        return { size, offset, file: this.#fileNumber(source) };
      }
      case 'symlink': {
        const offset = this.#text.append(entry.target);
        return { size: this.#text.length - offset, offset, file: 0 };
      }
      case 'character':
      case 'block':
        return { size: entry.major, offset: entry.minor, file: 0 };
    }
    return { size: 0, offset: 0, file: 0 };
  }

  /** Archives have few files, and the last one comes again and again. */
  #fileNumber(file: OpenFile): number {
    const known = this.#files.lastIndexOf(file);
    return known >= 0 ? known + 1 : this.#files.push(file);
  }

  /** Where they begin in `text`. Mostly they are those of the entry before. */
  #addXattrs(xattrs: ReadonlyMap<string, Uint8Array>): number {
    const bytes = encodeXattrs(xattrs);
    if (!bytes.equals(this.#lastXattrs.bytes)) this.#lastXattrs = { bytes, start: this.#text.append(bytes) };
    return this.#lastXattrs.start;
  }
}

/** How many names and values there are, the length of each, and then each: numbers of four bytes. */
function encodeXattrs(xattrs: ReadonlyMap<string, Uint8Array>): Buffer {
  const parts = [...xattrs].flatMap(([name, value]) => [encodeName(name), value]);
  const numbers = Buffer.alloc(4 + 4 * parts.length);
  numbers.writeUInt32LE(parts.length, 0);
  for (const [index, { length }] of parts.entries()) numbers.writeUInt32LE(length, 4 + 4 * index);
  return Buffer.concat([numbers, ...parts]);
}

function decodeXattrs({ buffer }: Uint8Array, start: number): Map<string, Uint8Array> {
  const bytes = Buffer.from(buffer, start);
  const count = bytes.readUInt32LE(0);
  let at = 4 + 4 * count;
  const parts = Array.from({ length: count }, (_, index) => {
    const from = at;
    at += bytes.readUInt32LE(4 + 4 * index);
    return Uint8Array.from(bytes.subarray(from, at));
  });
  const xattrs = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i += 2) xattrs.set(decodeName(parts[i]!), parts[i + 1]!);
  return xattrs;
}
