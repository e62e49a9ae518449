import { randomBytes } from 'node:crypto';
import { GrowingArray } from '../base/growing-array.ts';
import { GrowingText } from '../base/growing-text.ts';
import { compareRanges, decodeName } from '../base/names.ts';
import { type Children, childrenOf } from './children.ts';

/**
 * The names of a file tree: each is a row, in a directory that is another row, and means an entry, of which only the number is
 * kept here. Row 0 is the root. A row takes 12 bytes, the bytes of its name, and 8 to 16 bytes of an index by directory and name.
 */
export class NameTable {
  /** The row of the directory. A name that was taken away is its own parent, and so is the root. */
  readonly #parent = new GrowingArray(Uint32Array);
  readonly #entry = new GrowingArray(Uint32Array);
  readonly #start = new GrowingArray(Uint32Array);
  readonly #text = new GrowingText();
  /** Each row but the root, at the first free place from that of its hash on; 0 is a free place. */
  #index = new Uint32Array(16);
  /** Another one in each table: who makes up names cannot make them collide. */
  readonly #seed = randomBytes(4).readUInt32LE();

  /** @param root the number of its entry */
  constructor(root: number) {
    this.#addRow(0, Buffer.of(), root);
  }

  /** The row of a name in a directory; undefined when there is none. */
  find(directory: number, name: Uint8Array): number | undefined {
    for (let at = this.#hash(directory, name); ; at++) {
      const row = this.#index[at & (this.#index.length - 1)]!;
      if (row === 0) return undefined;
      if (this.#parent.array[row] === directory && this.#hasName(row, name)) return row;
    }
  }

  /** Adds a name that the directory does not have; returns its row. */
  add(directory: number, name: Uint8Array, entry: number): number {
    const row = this.#addRow(directory, name, entry);
    if (2 * row > this.#index.length) this.#enlargeIndex();
    else this.#enterIndex(row);
    return row;
  }

  /** Takes a name away. Those in it, if it is a directory, are in none that can be reached any more. */
  remove(row: number): void {
    this.#parent.array[row] = row;
  }

  /** The number of the entry that a name means. */
  entryOf(row: number): number {
    return this.#entry.array[row]!;
  }

  parentOf(row: number): number {
    return this.#parent.array[row]!;
  }

  nameOf(row: number): Uint8Array {
    return this.#text.bytes.subarray(this.#start.array[row], this.#endOf(row));
  }

  /** The path from the root, which is `''`. */
  pathOf(row: number): string {
    const names: string[] = [];
    for (let at = row; at !== 0; at = this.parentOf(at)) names.push(decodeName(this.nameOf(at)));
    return names.reverse().join('/');
  }

  /** The names of each directory in their byte order. */
  children(): Children {
    const [{ bytes }, starts] = [this.#text, this.#start.array];
    const compare = (a: number, b: number) =>
      compareRanges(bytes, starts[a]!, this.#endOf(a), bytes, starts[b]!, this.#endOf(b));
    return childrenOf(this.#parent.done(), compare);
  }

  #addRow(directory: number, name: Uint8Array, entry: number): number {
    const row = this.#parent.length;
    this.#parent.push(directory);
    this.#entry.push(entry);
    this.#start.push(this.#text.append(name));
    return row;
  }

  #endOf(row: number): number {
    return row + 1 < this.#start.length ? this.#start.array[row + 1]! : this.#text.length;
  }

  #hasName(row: number, name: Uint8Array): boolean {
    const { bytes } = this.#text;
    return compareRanges(bytes, this.#start.array[row]!, this.#endOf(row), name, 0, name.length) === 0;
  }

  #hash(directory: number, name: Uint8Array): number {
    let hash = Math.imul(directory ^ this.#seed, 0x9e3779b1);
    for (const byte of name) {
      hash = Math.imul(hash ^ byte, 0x85ebca6b);
      hash ^= hash >>> 13;
    }
    return hash & (this.#index.length - 1);
  }

  #enterIndex(row: number): void {
    const mask = this.#index.length - 1;
    let at = this.#hash(this.parentOf(row), this.nameOf(row));
    while (this.#index[at & mask] !== 0) at++;
    this.#index[at & mask] = row;
  }

  #enlargeIndex(): void {
    this.#index = new Uint32Array(this.#index.length * 2);
    for (let row = 1; row < this.#parent.length; row++) if (this.parentOf(row) !== row) this.#enterIndex(row);
  }
}
