import { Failure } from '../base/errors.ts';

/** One value of a module index: found under its key, and among several in ascending priority. */
export interface IndexEntry {
  readonly key: string;
  readonly value: string;
  readonly priority: number;
}

const magic = 0xb007f457;
const version = 0x00020001;
const headerSize = 12;
const hasPrefix = 0x80000000;
const hasValues = 0x40000000;
const hasChildren = 0x20000000;
const offsetMask = 0x0fffffff;
/** Keys are looked up in buffers of PATH_MAX. */
const longestKey = 4095;

interface Node {
  readonly prefix: string;
  readonly values: readonly IndexEntry[];
  readonly children: { readonly code: number; readonly node: Node }[];
  /** Filled in when the whole trie is known. */
  offset: number;
}

/**
 * The bytes of a module index file (`modules.dep.bin`, `modules.alias.bin`, …), the same that kmod's depmod writes for
 * these entries in this order: among equal keys and priorities the later entry comes first.
 *
 * Format (kmod, libkmod-index.c): numbers are big endian and 32 bits wide. Header: magic, version, reference of the root.
 * A reference is the offset of a node with, in its upper bits, which of the three parts the node has, in this order: its
 * prefix (NUL-ended); first and last child character (a byte each) and a reference for every character between them, 0
 * where there is no child; number of values, and for each its priority and NUL-ended text. The character that leads to
 * a child is not repeated in the child's prefix. Children stand before their parent, the root last (kmod 34 and newer
 * write parents first; readers take both).
 * @throws Failure `corrupt` for a key or value that the format cannot hold: not 7-bit ASCII, or a key above 4095 bytes.
 */
export function writeModuleIndex(entries: readonly IndexEntry[]): Uint8Array {
  for (const entry of entries) checkEntry(entry);
  const nodes = nodesInOrder(sortEntries(entries));
  let end = headerSize;
  for (const node of nodes) {
    node.offset = end;
    end += sizeOf(node);
  }
  if (end > offsetMask)
    throw new Failure('corrupt', `a module index of ${end} bytes is too big for its format`);
  const bytes = Buffer.alloc(end);
  bytes.writeUInt32BE(magic, 0);
  bytes.writeUInt32BE(version, 4);
  bytes.writeUInt32BE(referenceTo(nodes.at(-1)!), 8);
  for (const node of nodes) writeNode(bytes, node);
  return bytes;
}

function checkEntry({ key, value }: IndexEntry): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of 7-bit ASCII but NUL is allowed
  if (/^[\x01-\x7f]*$/.test(key) && /^[\x01-\x7f]*$/.test(value) && key.length <= longestKey) return;
  throw new Failure('corrupt', `a module index cannot hold ${JSON.stringify(key.slice(0, 200))}`, {
    hint: 'module names, aliases and symbols must be 7-bit ASCII and no longer than 4095 bytes',
  });
}

/** By key, then priority; equal ones in reverse, as depmod puts each before its equals. */
function sortEntries(entries: readonly IndexEntry[]): IndexEntry[] {
  return entries.toReversed().sort((a, b) => compareKeys(a.key, b.key) || a.priority - b.priority);
}

function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The nodes of the trie of sorted entries, each after its children, these in character order. */
function nodesInOrder(entries: readonly IndexEntry[]): Node[] {
  interface Range {
    from: number;
    to: number;
    /** Characters of the keys that are behind us. */
    depth: number;
    attach?: (node: Node) => void;
  }
  const nodes: Node[] = []; // filled parents first, last child first: the reverse of what is wanted
  const pending: Range[] = [{ from: 0, to: entries.length, depth: 0 }];
  for (let range = pending.pop(); range !== undefined; range = pending.pop()) {
    const { from, to, depth, attach } = range;
    // The root never has a prefix.
    const end = attach ? commonLength(entries[from]!.key, entries[to - 1]!.key, depth) : 0;
    let at = from;
    while (at < to && entries[at]!.key.length === end) at++;
    const node: Node = {
      prefix: attach ? entries[from]!.key.slice(depth, end) : '',
      values: entries.slice(from, at),
      children: [],
      offset: 0,
    };
    nodes.push(node);
    attach?.(node);
    while (at < to) {
      const code = entries[at]!.key.charCodeAt(end);
      const start = at;
      while (at < to && entries[at]!.key.charCodeAt(end) === code) at++;
      const attachChild = (child: Node) => void node.children.unshift({ code, node: child });
      pending.push({ from: start, to: at, depth: end + 1, attach: attachChild });
    }
  }
  return nodes.reverse();
}

function commonLength(a: string, b: string, from: number): number {
  let at = from;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

function sizeOf({ prefix, children, values }: Node): number {
  let size = prefix === '' ? 0 : prefix.length + 1;
  if (children.length > 0) size += 2 + 4 * (children.at(-1)!.code - children[0]!.code + 1);
  if (values.length > 0) size += 4;
  for (const { value } of values) size += 4 + value.length + 1;
  return size;
}

function referenceTo({ prefix, values, children, offset }: Node): number {
  const flags =
    (prefix === '' ? 0 : hasPrefix) +
    (values.length > 0 ? hasValues : 0) +
    (children.length > 0 ? hasChildren : 0);
  return flags + offset;
}

function writeNode(bytes: Buffer, { prefix, children, values, offset }: Node): void {
  let at = offset;
  if (prefix !== '') at += bytes.write(prefix, at, 'latin1') + 1;
  if (children.length > 0) {
    const first = children[0]!.code;
    const last = children.at(-1)!.code;
    bytes[at] = first;
    bytes[at + 1] = last;
    for (const { code, node } of children)
      bytes.writeUInt32BE(referenceTo(node), at + 2 + 4 * (code - first));
    at += 2 + 4 * (last - first + 1);
  }
  if (values.length > 0) at = bytes.writeUInt32BE(values.length, at);
  for (const { priority, value } of values) {
    at = bytes.writeUInt32BE(priority, at);
    at += bytes.write(value, at, 'latin1') + 1;
  }
}

/**
 * Every entry of a module index file, in key order.
 * @throws Failure `corrupt` when the bytes are not a module index, or its references leave it or meet twice.
 */
export function readModuleIndex(bytes: Uint8Array, name = 'module index'): IndexEntry[] {
  const cursor = new Cursor(bytes, name);
  if (cursor.number() !== magic) throw cursor.corrupt('wrong magic');
  const found = cursor.number();
  if (found >>> 16 !== version >>> 16) throw cursor.corrupt(`version ${found >>> 16}`);
  const entries: IndexEntry[] = [];
  const seen = new Set<number>();
  const pending: Reference[] = [{ reference: cursor.number(), path: '' }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if ((next.reference & ~offsetMask) === 0) continue; // a node without any part
    const offset = next.reference & offsetMask;
    if (offset < headerSize || seen.has(offset)) throw cursor.corrupt(`a reference to byte ${offset}`);
    seen.add(offset);
    const node = readNode(cursor, next);
    for (const entry of node.values) entries.push(entry);
    pending.push(...node.children.reverse());
  }
  return entries;
}

interface Reference {
  readonly reference: number;
  /** The key up to the node, the character that leads to it included. */
  readonly path: string;
}

function readNode(cursor: Cursor, { reference, path }: Reference) {
  cursor.at = reference & offsetMask;
  const key = reference & hasPrefix ? path + cursor.text() : path;
  if (key.length > longestKey) throw cursor.corrupt('a key without an end');
  const children: Reference[] = [];
  if (reference & hasChildren) {
    const [first, last] = [cursor.byte(), cursor.byte()];
    if (first > last || last > 127) throw cursor.corrupt(`children ${first} to ${last}`);
    for (let code = first; code <= last; code++) {
      const child = cursor.number();
      if (child !== 0) children.push({ reference: child, path: key + String.fromCharCode(code) });
    }
  }
  const values: IndexEntry[] = [];
  const count = reference & hasValues ? cursor.number() : 0;
  for (let index = 0; index < count; index++) {
    const priority = cursor.number();
    values.push({ key, value: cursor.text(), priority });
  }
  return { children, values };
}

/** Reads one thing after the other, never past the end. */
class Cursor {
  at = 0;
  readonly #bytes: Buffer;
  readonly #name: string;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#name = name;
  }

  byte(): number {
    return this.#bytes[this.#pass(1)]!;
  }

  number(): number {
    return this.#bytes.readUInt32BE(this.#pass(4));
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.at);
    if (end < 0) throw this.corrupt('a text without an end');
    const start = this.#pass(end - this.at + 1);
    return this.#bytes.toString('latin1', start, end);
  }

  corrupt(why: string): Failure {
    return new Failure('corrupt', `${this.#name} is not a module index: ${why}`);
  }

  /** Goes on by so many bytes; gives back where it was. */
  #pass(length: number): number {
    const start = this.at;
    if (start + length > this.#bytes.length) throw this.corrupt(`cut off at byte ${this.#bytes.length}`);
    this.at = start + length;
    return start;
  }
}
