import { shardsOf } from '../../store/dir/direct-writer.ts';
import type { Store } from '../../store/store.ts';
import { claimBlock } from '../../store/upkeep.ts';
import type { BlockTable } from './block-table.ts';
import type { AddedBlock } from './job.ts';
import type { TargetDirectory } from './job-runner.ts';

export interface StoredCounts {
  /** Blocks that the store did not have. */
  newBlocks: number;
  /** Bytes of those, as they are stored. */
  storedBytes: number;
}

export interface BlockSinkOptions {
  readonly store: Store;
  readonly table: BlockTable;
  /** Blocks on their way into the store at one time. */
  readonly concurrency: number;
  /** Only find out what would be put. */
  readonly dryRun: boolean;
  /** Called when blocks are in the store. */
  readonly onStored: () => void;
  /** Called once, with what the store threw. */
  readonly onFailure: (error: unknown) => void;
}

/** Jobs whose blocks wait for their names at one time: what a kill would lose, some seconds of work. */
const mostAdoptions = 32;

/** Brings the blocks that jobs added into the store, and says in the table which are there. */
export class BlockSink {
  readonly counts: StoredCounts = { newBlocks: 0, storedBytes: 0 };
  /** The directory into which threads write blocks by themselves. */
  readonly directory: TargetDirectory | undefined;
  readonly #options: BlockSinkOptions;
  readonly #underway = new Set<Promise<void>>();
  /** Calls those who wait until less is underway, one for each that ends. */
  readonly #waiting: (() => void)[] = [];
  /** Whether there is nothing to ask for: what is put is new. */
  #isEmpty = false;
  #isStopped = false;

  constructor(options: BlockSinkOptions) {
    this.#options = options;
    const root = options.dryRun ? undefined : options.store.direct?.root;
    this.directory = root === undefined ? undefined : { root, shards: shardsOf(root) };
  }

  /** Finds out whether the store holds anything, where asking for that costs less than asking for each block. */
  async open(): Promise<void> {
    const { store } = this.#options;
    if (this.directory !== undefined || !store.capabilities.list) return;
    for await (const _ of store.list()) return;
    this.#isEmpty = true;
  }

  /** Begins with the blocks of a job; returns when there is room for those of the next one. */
  async take(added: readonly AddedBlock[]): Promise<void> {
    if (this.directory !== undefined) return this.#begin(mostAdoptions, () => this.#adopt(added));
    for (const block of added) await this.#begin(this.#options.concurrency, () => this.#put(block));
  }

  /** Returns when nothing is underway. */
  async settle(): Promise<void> {
    while (this.#underway.size > 0) await Promise.all(this.#underway);
  }

  /** Puts nothing more; what threads wrote into the store themselves still gets its name. */
  stop(): void {
    this.#isStopped = true;
  }

  async #begin(most: number, work: () => Promise<void>): Promise<void> {
    while (this.#underway.size >= most) await new Promise<void>((go) => this.#waiting.push(go));
    const done = work().catch((error: unknown) => this.#fail(error));
    this.#underway.add(done);
    void done.then(() => {
      this.#underway.delete(done);
      this.#waiting.shift()?.();
    });
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.onFailure(error);
  }

  /** Gives blocks their names that a thread has written. */
  async #adopt(added: readonly AddedBlock[]): Promise<void> {
    const { store, table } = this.#options;
    const written = added.flatMap(({ place, temporary }) =>
      temporary === undefined ? [] : [{ id: table.ref(place).id, temporary }],
    );
    if (written.length > 0) await store.direct!.adopt(written);
    for (const { temporary, storedSize } of added) if (temporary !== undefined) this.#count(storedSize);
    this.#stored(added);
  }

  async #put(block: AddedBlock): Promise<void> {
    const { store, table, dryRun } = this.#options;
    if (this.#isStopped) return;
    const { id } = table.ref(block.place);
    const isThere = !this.#isEmpty && (dryRun ? await store.has(id) : await claimBlock(store, id));
    if (!isThere) {
      if (!dryRun) await store.put(id, block.blob!);
      this.#count(block.storedSize);
    }
    this.#stored([block]);
  }

  #count(storedSize: number): void {
    this.counts.newBlocks++;
    this.counts.storedBytes += storedSize;
  }

  #stored(blocks: readonly AddedBlock[]): void {
    for (const { place } of blocks) this.#options.table.setStored(place);
    this.#options.onStored();
  }
}
