import type { OpenFile } from '../base/file-range.ts';
import { GrowingArray } from '../base/growing-array.ts';
import { type Content, SliceContent } from './content.ts';
import type { DirectoryEntry, Entry, EntryKind } from './tree.ts';

type Leaf = Exclude<Entry, DirectoryEntry>;

const kinds: readonly EntryKind[] = ['file', 'symlink', 'character', 'block', 'fifo', 'socket'];

/** What only some entries have. */
interface Rare {
  readonly xattrs?: Leaf['xattrs'];
  readonly target?: string;
  readonly hardLink?: string;
  /** Of a file whose bytes are no slice of an open file. */
  readonly content?: Content;
}

/**
 * Entries that are no directories, by number, in columns: 53 bytes each, where an object with its content takes more than
 * twice as much. They are made again when they are taken.
 */
export class EntryTable {
  readonly #kind = new GrowingArray(Uint8Array);
  readonly #mode = new GrowingArray(Uint32Array);
  readonly #uid = new GrowingArray(Float64Array); // archives have any number
  readonly #gid = new GrowingArray(Float64Array);
  readonly #mtime = new GrowingArray(Float64Array);
  readonly #mtimeNs = new GrowingArray(Uint32Array);
  /** The size of a slice, or the major number of a device. */
  readonly #size = new GrowingArray(Float64Array);
  /** The offset of a slice, or the minor number of a device. */
  readonly #offset = new GrowingArray(Float64Array);
  /** The place in `files` of the file of a slice, from 1. */
  readonly #file = new GrowingArray(Uint32Array);
  readonly #files: OpenFile[] = [];
  readonly #rare = new Map<number, Rare>();

  get length(): number {
    return this.#kind.length;
  }

  /** Adds an entry; returns its number. */
  add(entry: Leaf): number {
    const number = this.length;
    const isDevice = entry.kind === 'character' || entry.kind === 'block';
    const slice = entry.kind === 'file' && entry.content instanceof SliceContent ? entry.content : undefined;
    this.#kind.push(kinds.indexOf(entry.kind));
    this.#mode.push(entry.mode);
    this.#uid.push(entry.uid);
    this.#gid.push(entry.gid);
    this.#mtime.push(entry.mtime);
    this.#mtimeNs.push(entry.mtimeNs ?? 0);
    this.#size.push(isDevice ? entry.major : (slice?.size ?? 0));
    this.#offset.push(isDevice ? entry.minor : (slice?.offset ?? 0));
    this.#file.push(slice === undefined ? 0 : this.#fileNumber(slice.source));
    const rare = rareOf(entry, slice);
    if (rare) this.#rare.set(number, rare);
    return number;
  }

  /** The entry of a number. */
  get(number: number): Leaf {
    const { xattrs, target, hardLink, content } = this.#rare.get(number) ?? {};
    const kind = kinds[this.#kind.array[number]!]!;
    const mtimeNs = this.#mtimeNs.array[number]!;
    const metadata = {
      mode: this.#mode.array[number]!,
      uid: this.#uid.array[number]!,
      gid: this.#gid.array[number]!,
      mtime: this.#mtime.array[number]!,
      ...(mtimeNs > 0 && { mtimeNs }),
      ...(xattrs && { xattrs }),
    };
    const [size, offset] = [this.#size.array[number]!, this.#offset.array[number]!];
    switch (kind) {
      case 'file': {
        const file = this.#files[this.#file.array[number]! - 1];
        const bytes = content ?? new SliceContent(file!, offset, size);
        return { kind, ...metadata, content: bytes, ...(hardLink !== undefined && { hardLink }) };
      }
      case 'symlink':
        return { kind, ...metadata, target: target! };
      case 'character':
      case 'block':
        return { kind, ...metadata, major: size, minor: offset };
      default:
        return { kind: kind as 'fifo' | 'socket', ...metadata };
    }
  }

  /** What kind an entry is, without making it. */
  kindOf(number: number): EntryKind {
    return kinds[this.#kind.array[number]!]!;
  }

  /** The hard-link group of an entry, without making it. */
  hardLinkOf(number: number): string | undefined {
    return this.#rare.get(number)?.hardLink;
  }

  /** Archives have few files, and the last one comes again and again. */
  #fileNumber(file: OpenFile): number {
    const known = this.#files.lastIndexOf(file);
    return known >= 0 ? known + 1 : this.#files.push(file);
  }
}

function rareOf(entry: Leaf, slice: SliceContent | undefined): Rare | undefined {
  const { xattrs } = entry;
  const target = entry.kind === 'symlink' ? entry.target : undefined;
  const hardLink = entry.kind === 'file' ? entry.hardLink : undefined;
  const content = entry.kind === 'file' && slice === undefined ? entry.content : undefined;
  if (xattrs === undefined && target === undefined && hardLink === undefined && content === undefined)
    return undefined;
  return {
    ...(xattrs && { xattrs }),
    ...(target !== undefined && { target }),
    ...(hardLink !== undefined && { hardLink }),
    ...(content && { content }),
  };
}
