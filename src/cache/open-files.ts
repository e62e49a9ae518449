import { closeSync, fstatSync, readSync } from 'node:fs';
import type { FileState } from './verified.ts';
import { isSameState } from './verified.ts';

/**
 * `block`: a block by itself, which may be a whole file; `whole`: a file of several blocks; `part`: one of which some are
 * there, with its map.
 */
export type FileKind = 'block' | 'whole' | 'part';

/** A file of the cache that a thread keeps open, and what it knows of it. */
export class OpenFile {
  readonly kind: FileKind;
  /** The id of a block, or the name of a file. */
  readonly name: string;
  readonly descriptor: number;
  /** Of a part: its map. */
  readonly map: number | undefined;
  /** Bytes that it may keep on the disk when somebody removes it. */
  readonly size: number;
  /** The last use that was noted, in seconds. */
  noted = 0;
  #state: FileState | undefined;
  /** One byte a block: 1 when it was found right in this state. */
  readonly #right: Uint8Array;
  /** Of a block: the key with which it was found right. */
  #key = '';

  constructor(
    kind: FileKind,
    name: string,
    { descriptor, map, size, count }: { descriptor: number; map?: number; size: number; count: number },
  ) {
    this.kind = kind;
    this.name = name;
    this.descriptor = descriptor;
    this.map = map;
    this.size = size;
    this.#right = new Uint8Array(count);
  }

  /** The state in which a block was found right; undefined when it was not. */
  rightIn(index: number, key: string | undefined): FileState | undefined {
    if (this.#right[index] !== 1 || (key !== undefined && key !== this.#key)) return undefined;
    return this.#state;
  }

  setRight(index: number, key: string, state: FileState): void {
    if (this.#state === undefined || !isSameState(this.#state, state)) this.#right.fill(0);
    this.#state = state;
    this.#right[index] = 1;
    this.#key = key;
  }

  /** Whether it still has a name, and its map, if it is a part. */
  isThere(): boolean {
    return [this.descriptor, this.map].every((file) => file === undefined || fstatSync(file).nlink > 0);
  }

  close(): void {
    closeSync(this.descriptor);
    if (this.map !== undefined) closeSync(this.map);
  }
}

const mostFiles = 16;
/** What is kept open stays on the disk when it is evicted, so it must not be much. */
const mostBytes = 64 << 20;

/** The files that a thread used last, open: to open one again costs more than to read from it. */
export class OpenFiles {
  readonly #files = new Map<string, OpenFile>();
  #bytes = 0;

  get(name: string): OpenFile | undefined {
    const file = this.#files.get(name);
    if (file !== undefined) {
      this.#files.delete(name);
      this.#files.set(name, file); // the order of a Map is that of insertion: the newest is last
    }
    return file;
  }

  /** Takes over an open file; closes those that are too many then. */
  add(file: OpenFile): OpenFile {
    this.drop(file.name);
    this.#files.set(file.name, file);
    this.#bytes += file.size;
    for (const [name, oldest] of this.#files) {
      if (oldest === file || (this.#files.size <= mostFiles && this.#bytes <= mostBytes)) break;
      this.drop(name);
    }
    return file;
  }

  drop(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined) return;
    this.#files.delete(name);
    this.#bytes -= file.size;
    file.close();
  }

  close(): void {
    for (const name of this.#files.keys()) this.drop(name);
  }
}

/** Fills `target` with the bytes of a file from `position` on; false when the file ends before. */
export function readExactly(file: number, target: Uint8Array, position: number): boolean {
  for (let filled = 0; filled < target.length; ) {
    const read = readSync(file, target, filled, target.length - filled, position + filled);
    if (read === 0) return false;
    filled += read;
  }
  return true;
}
