import { describeError } from '../base/errors.ts';
import type { BlockFiles, PlainBlock } from './block-files.ts';
import { BlockMemory } from './block-memory.ts';

export interface BlockCacheOptions {
  /** Bytes of plain blocks to keep in memory; 32 MiB by default. */
  readonly memory?: number;
  /** Called when the directory cannot be written, once until it can be again. */
  readonly warn: (message: string) => void;
}

/** Blocks that may wait for the disk at one time; the next one waits before it is handed out. */
const writesAtOnce = 16;

/**
 * Plain blocks from memory, from files, or fetched: whichever has it first. A block is fetched once however many ask
 * for it at the same time. A full or unwritable disk costs speed, never a read.
 */
export class BlockCache {
  readonly #files: BlockFiles;
  readonly #memory: BlockMemory;
  readonly #warn: (message: string) => void;
  readonly #flights = new Map<string, Promise<Uint8Array>>();
  readonly #writes = new Set<Promise<void>>();
  #warned = false;

  constructor(files: BlockFiles, options: BlockCacheOptions) {
    this.#files = files;
    this.#memory = new BlockMemory(options.memory ?? 32 * 1024 * 1024);
    this.#warn = options.warn;
  }

  /**
   * The plain bytes of a block.
   * @param fetch brings them when they are not here, and has checked them against the key
   */
  get(block: PlainBlock, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.#memory.get(block.key);
    // A flist may give a block a wrong size; then what is here is not what it asks for, and `fetch` will say so.
    if (known?.length === block.size) return Promise.resolve(known);
    const name = `${block.key} ${block.size}`;
    const flight = this.#flights.get(name);
    if (flight !== undefined) return flight;
    const started = this.#bring(block, fetch).finally(() => this.#flights.delete(name));
    this.#flights.set(name, started);
    return started;
  }

  /** The plain bytes of a block that is here; undefined when it has to be fetched. Blocks the thread for a read from the disk. */
  peek(block: PlainBlock): Uint8Array | undefined {
    return this.#memory.get(block.key) ?? this.#files.read(block);
  }

  /** Takes a block that somebody else fetched and checked. Waits only when too many are on their way to the disk. */
  async keep(block: PlainBlock, plain: Uint8Array): Promise<void> {
    await this.#keep(block, plain);
  }

  /** Waits until every block that was fetched is on the disk, or has failed to get there. */
  async flush(): Promise<void> {
    await Promise.all(this.#writes);
  }

  async #bring(block: PlainBlock, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const cached = this.#files.read(block);
    const plain = cached ?? (await fetch());
    this.#memory.set(block.key, plain);
    if (cached === undefined) await this.#keep(block, plain);
    return plain;
  }

  /** Begins to write a block to the disk; waits only when many are on their way. */
  async #keep(block: PlainBlock, plain: Uint8Array): Promise<void> {
    while (this.#writes.size >= writesAtOnce) await Promise.race(this.#writes);
    const write = this.#write(block, plain).finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  async #write(block: PlainBlock, plain: Uint8Array): Promise<void> {
    try {
      await this.#files.write(block, plain);
      this.#warned = false;
    } catch (error) {
      if (!this.#warned)
        this.#warn(
          `cannot write to the cache ${this.#files.directory}, going on without: ${describeError(error)}`,
        );
      this.#warned = true;
    }
  }
}
