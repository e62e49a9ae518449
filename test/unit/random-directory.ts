import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { type Libc, loadLibc } from '../../src/base/libc.ts';
import { chmodItself } from '../../src/tree/restore.ts';

const isRoot = process.geteuid!() === 0;
const blockSize = 524288;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), bits | 61)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Made {
  readonly path: Buffer;
  readonly kind: 'directory' | 'file' | 'other' | 'symlink';
}

/**
 * Fills a new directory with what is hard about trees: names and targets of any bytes, holes, sizes about that of a block, every kind of
 * file, hard links, attributes, modes, and times to the nanosecond. The same seed makes the same.
 */
export class RandomDirectory {
  readonly #random: () => number;
  readonly #libc: Libc;
  readonly #root: Buffer;
  readonly #made: Made[];
  readonly #taken = new Set<string>();

  private constructor(root: string, seed: number, libc: Libc) {
    this.#random = randomNumbers(seed);
    this.#libc = libc;
    this.#root = Buffer.from(root);
    this.#made = [{ path: this.#root, kind: 'directory' }];
  }

  static async make(root: string, seed: number): Promise<void> {
    const directory = new RandomDirectory(root, seed, (await loadLibc())!);
    mkdirSync(root);
    const count = directory.#below(14);
    for (let i = 0; i < count; i++) directory.#add();
    directory.#finish();
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }

  #one<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!;
  }

  #add(): void {
    const parents = this.#made.filter(({ kind }) => kind === 'directory');
    const path = Buffer.concat([this.#one(parents).path, Buffer.from('/'), this.#name()]);
    if (this.#taken.has(path.toString('latin1'))) return;
    this.#taken.add(path.toString('latin1'));
    const kind = this.#one([
      'directory',
      'directory',
      'file',
      'file',
      'file',
      'link',
      'symlink',
      'other',
    ] as const);
    if (kind === 'link') this.#link(path);
    else {
      if (kind === 'directory') mkdirSync(path);
      else if (kind === 'symlink') symlinkSync(this.#target(), path);
      else if (kind === 'file') this.#file(path);
      else this.#special(path);
      this.#made.push({ path, kind });
    }
  }

  /** A further name of a file, which has its metadata from the first. */
  #link(path: Buffer): void {
    const files = this.#made.filter(({ kind }) => kind === 'file');
    if (files.length > 0) linkSync(this.#one(files).path, path);
  }

  #name(): Buffer {
    const plain = () =>
      Buffer.from(this.#one(['a', 'b', 'lib', 'lib64', 'ünïcode 📦', '-x', 'new\nline', '.unpacking-0-3']));
    const odd = () => this.#bytes(1 + this.#below(12));
    const long = () => Buffer.alloc(255, this.#one(['n', 'm']));
    return this.#one([plain, plain, plain, odd, odd, long])();
  }

  #target(): Buffer {
    return this.#one([
      Buffer.from('/etc/passwd'),
      Buffer.from('../../outside'),
      this.#bytes(30),
      Buffer.alloc(4000, 'long/'),
    ]);
  }

  /** Bytes that a name may have. */
  #bytes(length: number): Buffer {
    const bytes = Buffer.from(Array.from({ length }, () => 1 + this.#below(255)));
    return Buffer.from(bytes.map((byte) => (byte === 0x2f || byte === 0x2e ? 0xff : byte)));
  }

  #file(path: Buffer): void {
    const sizes = [0, 0, 1, 100, 5000, 70_000, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize + 7];
    const size = this.#one(sizes);
    const file = openSync(path, 'wx');
    const extents = this.#one([1, 1, 1, 2, 0]);
    ftruncateSync(file, size);
    for (let i = 0; i < extents && size > 0; i++) {
      const start = extents === 1 ? 0 : this.#below(size);
      const length = extents === 1 ? size : Math.min(size - start, 1 + this.#below(9000));
      writeSync(file, Buffer.alloc(length, `${this.#below(4)} some content `), 0, length, start);
    }
    closeSync(file);
  }

  #special(path: Buffer): void {
    const types = isRoot ? [0o010000, 0o140000, 0o020000, 0o060000] : [0o010000, 0o140000];
    const type = this.#one(types);
    const isDevice = type === 0o020000 || type === 0o060000;
    const device = { major: this.#below(4096), minor: this.#below(2 ** 20) };
    this.#libc.makeNode(path, type | 0o600, isDevice ? device : undefined);
  }

  /** From the bottom up, for what is made in a directory changes its time, and needs its mode. */
  #finish(): void {
    for (const { path, kind } of this.#made.toReversed()) {
      if ((kind === 'file' || kind === 'directory') && this.#random() < 0.3)
        this.#libc.setXattr(path, this.#one(['user.one', 'user.ä']), this.#bytes(this.#below(60)));
      if (kind !== 'symlink' && this.#random() < 0.7) chmodItself(path, this.#mode(kind));
      const time = {
        seconds: this.#one([0, 1, 1_700_000_000, 4_000_000_000, -1]),
        nanoseconds: this.#one([0, 1, 999_999_999, 123_456_789]),
      };
      this.#libc.setTimes(path, time, time);
    }
  }

  /** Any, but what keeps a user from reading his own. */
  #mode(kind: Made['kind']): number {
    const least = isRoot ? 0 : kind === 'directory' ? 0o500 : 0o400;
    return this.#below(0o10000) | least;
  }
}
