import { describeError, Failure } from '../base/errors.ts';
import { forEachParallel } from '../base/parallel.ts';
import { blockThreads, threadsWorth } from '../base/threads.ts';
import type { Store } from '../store/store.ts';
import { getChecked } from '../store/wrappers/failover.ts';
import { type BlockState, blockStates } from './block/block-check.ts';
import { BlockCheckers, type CheckRequest } from './block/block-checkers.ts';
import type { BlockRef } from './block/block-codec.ts';
import { checkDirectory } from './directory-check.ts';
import type { Manifest } from './manifest/manifest.ts';
import { blockAt, rowOf } from './manifest/manifest-columns.ts';
import { blocksOfRow, EqualBlocks, type PlacedBlock, placedBlocks } from './placed-blocks.ts';
import { walkManifest } from './walk.ts';

export type BlockDamage = Exclude<BlockState, 'sound'>;

export interface VerifyCounts {
  /** Different blocks. */
  blocks: number;
  /** Their plain bytes. */
  bytes: number;
  readonly damage: Record<BlockDamage, number>;
}

export interface VerifyOptions {
  readonly store: Store;
  /** Whether every block is fetched and decoded, which is so unless said otherwise; or the store only asked whether it is there. */
  readonly content?: boolean;
  /** Blocks underway at one time, each of about 1 MiB of memory; 32 by default. */
  readonly concurrency?: number;
  /** Called after every block with the counts so far. */
  readonly onProgress?: (counts: Readonly<VerifyCounts>, total: number) => void;
}

/** A file that cannot be read whole. */
export interface DamagedFile {
  readonly path: string;
  readonly blocks: readonly {
    /** Place in the file: its bytes begin at so many times 512 KiB. */
    readonly index: number;
    readonly id: string;
    readonly damage: BlockDamage;
  }[];
}

export interface Verification {
  readonly counts: Readonly<VerifyCounts>;
  /** Every file with a block that is not sound, found when it is taken. */
  readonly damagedFiles: Iterable<DamagedFile>;
}

/**
 * Checks that a store has every block of a manifest, and that each decodes to what the manifest says. Each different block
 * is asked for once; a block that is bad does not end the work.
 * @throws Failure `unavailable` when the store itself fails: then nothing is known of the rest.
 */
export async function verifyBlocks(manifest: Manifest, options: VerifyOptions): Promise<Verification> {
  const { store, content = true, concurrency = 32, onProgress = () => {} } = options;
  const { columns } = manifest;
  const equal = new EqualBlocks([columns], 'id, key and size');
  const different = () => differentBlocks(placedBlocks(columns), equal);
  let [total, totalBytes] = [0, 0];
  for (const { size } of different()) {
    total++;
    totalBytes += size;
  }

  /** By the place of the first of equal blocks: the index of its state. */
  const states = new Uint8Array(equal.count);
  const counts: VerifyCounts = { blocks: 0, bytes: 0, damage: { missing: 0, corrupt: 0, mismatch: 0 } };
  const found = (place: number, size: number, state: BlockState) => {
    states[place] = blockStates.indexOf(state);
    counts.blocks++;
    counts.bytes += size;
    if (state !== 'sound') counts.damage[state]++;
    onProgress(counts, total);
  };
  try {
    if (content && store.direct !== undefined) {
      const { root } = store.direct;
      const threads = threadsWorth(total, totalBytes);
      await checkDirectory(different(), { root, blockRefs: columns.blockRefs, threads }, found);
    } else {
      await using probe = content ? contentProbe(store, manifest.inodes.length) : presenceProbe(store);
      await forEachParallel(different(), concurrency, async ({ place, size }, signal) => {
        found(place, size, await probe.stateOf(blockAt(columns, place), size, signal));
      });
    }
  } catch (error) {
    throw storeFailure(store, error);
  }
  const stateOf = (block: PlacedBlock) => blockStates[states[equal.firstLike(block)]!]!;
  return { counts, damagedFiles: { [Symbol.iterator]: () => damagedFiles(manifest, stateOf) } };
}

function* differentBlocks(blocks: Iterable<PlacedBlock>, equal: EqualBlocks): Generator<PlacedBlock> {
  for (const block of blocks) if (equal.firstLike(block) === block.place) yield block;
}

/** Finds out the state of a block. */
interface Probe extends AsyncDisposable {
  stateOf(ref: BlockRef, size: number, signal: AbortSignal): Promise<BlockState>;
}

function presenceProbe(store: Store): Probe {
  return {
    stateOf: async ({ id }, _, signal) => ((await store.has(id, signal)) ? 'sound' : 'missing'),
    [Symbol.asyncDispose]: async () => {},
  };
}

function contentProbe(store: Store, files: number): Probe {
  const checkers = new BlockCheckers(blockThreads(files));
  return {
    async stateOf(ref, size, signal) {
      try {
        return await getChecked(store, ref.id, (blob) => soundState(checkers, { blob, ref, size }), signal);
      } catch (error) {
        if (error instanceof Failure && error.kind === 'not-found') return 'missing';
        if (error instanceof Failure && error.kind === 'corrupt') return 'corrupt';
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => checkers.close(),
  };
}

/** A replica whose block is damaged is no reason to give up while there is another. */
async function soundState(checkers: BlockCheckers, block: CheckRequest): Promise<BlockState> {
  const state = await checkers.check(block);
  if (state === 'corrupt') throw new Failure('corrupt', `block ${block.ref.id} is damaged`);
  return state;
}

function storeFailure(store: Store, error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  return new Failure('unavailable', `${store.address} does not give its blocks`, {
    cause: describeError(error),
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}

function* damagedFiles(
  manifest: Manifest,
  stateOf: (block: PlacedBlock) => BlockState,
): Generator<DamagedFile> {
  const { columns } = manifest;
  for (const { path, inode } of walkManifest(manifest)) {
    const blocks: { index: number; id: string; damage: BlockDamage }[] = [];
    for (const block of blocksOfRow(columns, rowOf(columns.ino, inode.ino)!)) {
      const damage = stateOf(block);
      if (damage !== 'sound')
        blocks.push({ index: block.index, id: blockAt(columns, block.place).id, damage });
    }
    if (blocks.length > 0) yield { path, blocks };
  }
}
