import { Failure } from '../base/errors.ts';
import type { OpenFile } from '../base/file-range.ts';
import { GrowingArray } from '../base/growing-array.ts';
import { GrowingText } from '../base/growing-text.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { type Content, SliceContent } from './content.ts';
import type { DirectoryEntry, Entry, EntryKind } from './tree.ts';

const kinds: readonly EntryKind[] = ['directory', 'file', 'symlink', 'character', 'block', 'fifo', 'socket'];

/** The most bytes of all targets and extended attributes. */
const mostText = 2 ** 30;

/** The most bytes of extended attributes that may come again with another entry. */
const mostKnown = 1024;

/** What few entries have. */
interface Rare {
  readonly hardLink?: string | undefined;
  /** Of a file whose bytes are no slice of an open file. */
  readonly content?: Content | undefined;
}

/**
 * Entries by number, in columns: 28 bytes each, 4 more with nanoseconds, and those of targets and extended attributes, where
 * objects take five times as much. They are made again when they are taken.
 */
export class EntryTable {
  /** The number of what an entry shares with others. */
  readonly #shared = new GrowingArray(Uint32Array);
  readonly #mtime = new GrowingArray(Float64Array);
  readonly #mtimeNs = new GrowingArray(Uint32Array);
  /** The size of a slice, the length of a target, or the major number of a device. */
  readonly #size = new GrowingArray(Float64Array);
  /** The offset of a slice, that of a target in `text`, or the minor number of a device. */
  readonly #offset = new GrowingArray(Float64Array);
  readonly #rare = new Map<number, Rare>();

  readonly #kind = new GrowingArray(Uint8Array);
  readonly #mode = new GrowingArray(Uint32Array);
  readonly #uid = new GrowingArray(Float64Array); // archives have any number
  readonly #gid = new GrowingArray(Float64Array);
  /** The place in `files` of the file of a slice, from 1. */
  readonly #file = new GrowingArray(Uint32Array);
  /** Where extended attributes begin in `text`, from 1; 0 for none. */
  readonly #xattrs = new GrowingArray(Uint32Array);
  readonly #sharedNumbers = new RecentNumbers();

  readonly #files: OpenFile[] = [];
  readonly #text = new GrowingText();
  readonly #xattrStarts = new RecentNumbers();

  get length(): number {
    return this.#shared.length;
  }

  /**
   * Adds an entry; returns its number.
   * @throws Failure `hostile` for more text than any tree has
   */
  add(entry: Entry): number {
    for (const column of [this.#mtime, this.#size, this.#offset]) column.extend(1);
    this.#mtimeNs.extend(1);
    const number = this.#shared.extend(1);
    this.#set(number, entry);
    const { hardLink, content } = entry.kind === 'file' ? entry : {};
    const otherContent = content instanceof SliceContent ? undefined : content;
    if (hardLink !== undefined || otherContent !== undefined)
      this.#rare.set(number, { hardLink, content: otherContent });
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
        const file = this.#files[this.#file.array[this.#shared.array[number]!]! - 1];
        const { hardLink, content = new SliceContent(file!, offset, size) } = this.#rare.get(number) ?? {};
        return { kind, ...metadata, content, ...(hardLink !== undefined && { hardLink }) };
      }
      case 'symlink': {
        const target = decodeName(this.#text.bytes.subarray(offset, offset + size));
        return { kind, ...metadata, target };
      }
      case 'character':
      case 'block':
        return { kind, ...metadata, major: size, minor: offset };
      default:
        return { kind, ...metadata };
    }
  }

  /** What kind an entry is, without making it. */
  kindOf(number: number): EntryKind {
    return kinds[this.#kind.array[this.#shared.array[number]!]!]!;
  }

  /** The hard-link group with which an entry came, without making it. */
  hardLinkOf(number: number): string | undefined {
    return this.#rare.get(number)?.hardLink;
  }

  #metadataOf(number: number) {
    const shared = this.#shared.array[number]!;
    const [mtimeNs, xattrs] = [this.#mtimeNs.array[number]!, this.#xattrs.array[shared]!];
    return {
      mode: this.#mode.array[shared]!,
      uid: this.#uid.array[shared]!,
      gid: this.#gid.array[shared]!,
      mtime: this.#mtime.array[number]!,
      ...(mtimeNs > 0 && { mtimeNs }),
      ...(xattrs > 0 && { xattrs: decodeXattrs(this.#text.bytes, xattrs - 1) }),
    };
  }

  #set(number: number, entry: Entry): void {
    this.#shared.array[number] = this.#numberOfShared(entry);
    this.#mtime.array[number] = entry.mtime;
    const mtimeNs = entry.mtimeNs ?? 0;
    // Pages of zeros that nobody wrote take no memory.
    if (mtimeNs !== this.#mtimeNs.array[number]) this.#mtimeNs.array[number] = mtimeNs;
    const { size, offset } = this.#extentOf(entry);
    this.#size.array[number] = size;
    this.#offset.array[number] = offset;
    if (this.#text.length > mostText)
      throw new Failure('hostile', 'targets of links and extended attributes are larger than 1 GiB together');
  }

  #numberOfShared(entry: Entry): number {
    const kind = kinds.indexOf(entry.kind);
    const { mode, uid, gid, xattrs } = entry;
    const content = entry.kind === 'file' ? entry.content : undefined;
    const file = content instanceof SliceContent ? this.#fileNumber(content.source) : 0;
    const xattrStart = xattrs === undefined ? 0 : this.#addXattrs(xattrs) + 1;
    return this.#sharedNumbers.numberOf(`${kind} ${mode} ${uid} ${gid} ${file} ${xattrStart}`, () => {
      this.#kind.push(kind);
      this.#mode.push(mode);
      this.#uid.push(uid);
      this.#gid.push(gid);
      this.#file.push(file);
      this.#xattrs.push(xattrStart);
      return this.#kind.length - 1;
    });
  }

  #extentOf(entry: Entry): { size: number; offset: number } {
    switch (entry.kind) {
      case 'file':
        return entry.content instanceof SliceContent ? entry.content : { size: 0, offset: 0 };
      case 'symlink': {
        const offset = this.#text.append(entry.target);
        return { size: this.#text.length - offset, offset };
      }
      case 'character':
      case 'block':
        return { size: entry.major, offset: entry.minor };
      default:
        return { size: 0, offset: 0 };
    }
  }

  /** Archives have few files, and the last one comes again and again. */
  #fileNumber(file: OpenFile): number {
    const known = this.#files.lastIndexOf(file);
    return known >= 0 ? known + 1 : this.#files.push(file);
  }

  /** Where they begin in `text`. */
  #addXattrs(xattrs: ReadonlyMap<string, Uint8Array>): number {
    const bytes = encodeXattrs(xattrs);
    if (bytes.length > mostKnown) return this.#text.append(bytes);
    return this.#xattrStarts.numberOf(bytes.toString('latin1'), () => this.#text.append(bytes));
  }
}

/** The numbers of values that come again and again. Only some are known at a time, so that it does not matter when none does. */
class RecentNumbers {
  readonly #numbers = new Map<string, number>();

  /** @param add gives a value its number */
  numberOf(value: string, add: () => number): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    if (this.#numbers.size === 1000) this.#numbers.clear();
    const number = add();
    this.#numbers.set(value, number);
    return number;
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

function decodeXattrs({ buffer, length }: Uint8Array, start: number): Map<string, Uint8Array> {
  const bytes = Buffer.from(buffer, start, length - start);
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
