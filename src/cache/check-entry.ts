import { closeSync, constants, fstatSync, openSync, read as readCallback, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from '../base/errors.ts';
import { blockKey, blockSize } from '../flist/block/block-codec.ts';
import { type BlockMap, parseMap } from './block-map.ts';
import { type CacheDirectory, openPlainly } from './cache-directory.ts';
import { dropBlocks, quiet, readWhole, removeFile } from './cache-files.ts';
import type { CacheEntry } from './cache-walk.ts';
import { digestSize, sizeOfBlock } from './plain-file.ts';

/**
 * What a file of the cache turns out to be: `sound`; `wrong`, and then what is wrong in it was taken out; `unproved` when there is nothing to
 * prove it by; `busy` when it is being written, or was changed or removed meanwhile.
 */
export type Verdict = 'sound' | 'wrong' | 'unproved' | 'busy';

export interface CheckTools {
  /** The id of a plain block: of its stored form, encoded anew. Without it blocks cannot be proved. */
  readonly idOf: ((plain: Uint8Array) => Promise<string>) | undefined;
  /** Called after so many bytes were read. */
  readonly onRead: (bytes: number) => Promise<void> | undefined;
}

export interface Checked {
  readonly verdict: Verdict;
  /** Blocks that were read. */
  readonly blocks: number;
  readonly bytes: number;
  /** Of a file of several blocks: which of them were wrong, if that is known. */
  readonly wrongBlocks: readonly number[];
}

const read = promisify(readCallback);

/**
 * Hashes a file of the cache, as it lies on the disk, without a manifest: a file of several blocks is named by its keys, which its map has or its blocks give;
 * and a block by its stored form, which is made anew. What is wrong is taken out of the cache.
 * @throws what the system says when a file cannot be read.
 */
export async function checkEntry(
  directory: CacheDirectory,
  entry: CacheEntry,
  tools: CheckTools,
): Promise<Checked> {
  const open = quiet(() =>
    directory.within(entry.shard, false, (path) => {
      const file = openSync(`${path}/${entry.fileName}`, constants.O_RDONLY | openPlainly);
      return { file, stats: fstatSync(file), map: mapOf(path, entry) };
    }),
  );
  if (open === undefined) return { verdict: 'busy', blocks: 0, bytes: 0, wrongBlocks: [] };
  const reading = new Reading(open.file, open.stats, tools);
  try {
    const { verdict, wrongBlocks } = await checkContent(reading, entry, open.map);
    const isBusy = verdict === 'wrong' && reading.hasChanged();
    if (verdict === 'wrong' && !isBusy) takeOut(directory, entry, open.map, wrongBlocks);
    return { verdict: isBusy ? 'busy' : verdict, wrongBlocks, blocks: reading.blocks, bytes: reading.bytes };
  } finally {
    reading.close();
  }
}

function mapOf(path: string, { kind, name }: CacheEntry): BlockMap | undefined {
  if (kind === 'block') return undefined;
  const bytes = quiet(() => readWhole(`${path}/${name}.map`));
  return bytes && parseMap(bytes, name);
}

type Found = Pick<Checked, 'verdict' | 'wrongBlocks'>;

const found = (verdict: Verdict, wrongBlocks: readonly number[] = []): Found => ({ verdict, wrongBlocks });

async function checkContent(
  reading: Reading,
  { kind, name }: CacheEntry,
  map: BlockMap | undefined,
): Promise<Found> {
  if (kind === 'block') return checkBlock(reading, name);
  if (map !== undefined) return checkByMap(reading, map, kind === 'whole');
  return kind === 'whole' ? checkByName(reading, name) : found('wrong');
}

async function checkBlock(reading: Reading, id: string): Promise<Found> {
  const { size } = reading;
  if (size === 0) return found('busy'); // rfs is about to fetch it
  if (size > blockSize) return found('wrong');
  const plain = await reading.block(0);
  if (plain === undefined) return found('wrong');
  if (reading.tools.idOf === undefined) return found('unproved');
  return found((await reading.tools.idOf(plain)) === id ? 'sound' : 'wrong');
}

/** With the map it is known which block is wrong. */
async function checkByMap(
  reading: Reading,
  { size, keys, flags }: BlockMap,
  isWhole: boolean,
): Promise<Found> {
  const wrong: number[] = [];
  for (const [index, key] of keys.entries()) {
    if (!isWhole && flags[index] !== 1) continue;
    const plain = await reading.block(index, sizeOfBlock(size, index));
    if (plain === undefined || blockKey(plain) !== key) wrong.push(index);
  }
  if (isWhole && reading.size !== size)
    return found(
      'wrong',
      keys.map((_, index) => index),
    );
  return found(wrong.length > 0 ? 'wrong' : 'sound', wrong);
}

async function checkByName(reading: Reading, name: string): Promise<Found> {
  const count = Math.ceil(reading.size / blockSize);
  const identity = Buffer.alloc(8 + count * digestSize);
  identity.writeBigUInt64LE(BigInt(reading.size));
  for (let index = 0; index < count; index++) {
    const plain = await reading.block(index);
    if (plain === undefined) return found('wrong');
    identity.write(blockKey(plain), 8 + index * digestSize, 'hex');
  }
  return found(blockKey(identity) === name ? 'sound' : 'wrong');
}

/** Direct reads are of multiples of this, at multiples of it, into memory at multiples of it. */
const page = 4096;

/**
 * A file that is being checked. It is read from the disk (`O_DIRECT`), where its file system can do that: what of it is in memory may be
 * right when the disk is not, and stays there for those who use it.
 */
class Reading {
  readonly tools: CheckTools;
  blocks = 0;
  bytes = 0;
  readonly #file: number;
  #direct: number | undefined;
  readonly #stats: Stats;
  /** Memory that may grow begins with a page. */
  readonly #buffer = Buffer.from(new ArrayBuffer(blockSize, { maxByteLength: blockSize }));

  /** @param file is closed with this */
  constructor(file: number, stats: Stats, tools: CheckTools) {
    this.#file = file;
    this.#direct = quiet(() => openSync(`/proc/self/fd/${file}`, constants.O_RDONLY | constants.O_DIRECT));
    this.#stats = stats;
    this.tools = tools;
  }

  get size(): number {
    return this.#stats.size;
  }

  /** A block, good until the next call; undefined when the file ends before it does. */
  async block(index: number, size = sizeOfBlock(this.size, index)): Promise<Buffer | undefined> {
    const filled = Math.min(await this.#fill(index * blockSize, size), size);
    this.blocks++;
    this.bytes += filled;
    await this.tools.onRead(filled);
    return filled === size ? this.#buffer.subarray(0, size) : undefined;
  }

  close(): void {
    closeSync(this.#file);
    if (this.#direct !== undefined) closeSync(this.#direct);
  }

  /** Returns how many bytes are there: fewer than wanted at the end of the file. */
  async #fill(position: number, size: number): Promise<number> {
    const wanted = Math.ceil(size / page) * page;
    let filled = 0;
    while (filled < size) {
      const bytesRead = await this.#read(filled, wanted - filled, position + filled);
      filled += bytesRead;
      if (bytesRead % page !== 0 || bytesRead === 0) break;
    }
    return filled;
  }

  async #read(offset: number, length: number, position: number): Promise<number> {
    const direct = this.#direct;
    if (direct !== undefined)
      try {
        return (await read(direct, this.#buffer, offset, length, position)).bytesRead;
      } catch (error) {
        if (errnoOf(error) !== 'EINVAL') throw error;
        this.#direct = undefined;
        closeSync(direct);
      }
    return (await read(this.#file, this.#buffer, offset, length, position)).bytesRead;
  }

  /** Whether somebody has written or removed the file since it was opened. */
  hasChanged(): boolean {
    return fstatSync(this.#file).ctimeMs !== this.#stats.ctimeMs;
  }
}

function takeOut(
  directory: CacheDirectory,
  { kind, name, shard }: CacheEntry,
  map: BlockMap | undefined,
  wrongBlocks: readonly number[],
): void {
  directory.within(shard, false, (path) => {
    if (kind !== 'whole' && kind !== 'part' && kind !== 'block') return;
    if (map !== undefined && wrongBlocks.length > 0)
      dropBlocks(path, { name, kind, count: map.keys.length }, wrongBlocks);
    else removeFile(path, { kind, name });
  });
}
