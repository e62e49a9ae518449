import { Failure } from '../base/errors.ts';
import { forEachParallel } from '../base/parallel.ts';
import type { BlockId, Store } from '../store/store.ts';
import { kindOfMode } from './manifest/inode.ts';
import type { Manifest } from './manifest/manifest.ts';
import { blockAt } from './manifest/manifest-columns.ts';
import { EqualBlocks, placedBlocks } from './placed-blocks.ts';
import { walkManifest } from './walk.ts';

/** What the files of a tree hold, and how many different blocks that takes. Bytes are plain bytes. */
export interface Usage {
  readonly files: number;
  /** Of all files; what has several names counts once. */
  readonly bytes: number;
  /** Different blocks. */
  readonly blocks: number;
  readonly blockBytes: number;
}

export interface ManifestUsage extends Usage {
  /** In blocks that no other of the manifests has. */
  readonly ownBytes: number;
  /** In blocks that another of the manifests has too. */
  readonly sharedBytes: number;
}

/** How much each manifest holds, alone and shared with the others, and how much all hold together. */
export function measureUsage(manifests: readonly Manifest[]): {
  readonly each: readonly ManifestUsage[];
  readonly total: Usage;
} {
  const equal = equalById(manifests);
  /** By the number of the first of equal blocks: 1 + the manifest that has it, or `shared` when several have it. */
  const holders = new Uint32Array(equal.count);
  const total = { files: 0, bytes: 0, blocks: 0, blockBytes: 0 };
  for (const [m, { columns }] of manifests.entries())
    for (const block of placedBlocks(columns)) {
      const first = equal.firstLike(block, m);
      if (holders[first] === 0) {
        holders[first] = m + 1;
        total.blocks++;
        total.blockBytes += block.size;
      } else if (holders[first] !== m + 1) holders[first] = shared;
    }
  const each = manifests.map((manifest, m) => {
    const usage = { files: 0, bytes: 0, blocks: 0, blockBytes: 0, ownBytes: 0, sharedBytes: 0 };
    for (const size of fileSizes(manifest)) {
      usage.files++;
      usage.bytes += size;
    }
    const counted = new Uint8Array(equal.count);
    for (const block of placedBlocks(manifest.columns)) {
      const first = equal.firstLike(block, m);
      if (counted[first] === 1) continue;
      counted[first] = 1;
      usage.blocks++;
      usage.blockBytes += block.size;
      usage[holders[first] === shared ? 'sharedBytes' : 'ownBytes'] += block.size;
    }
    total.files += usage.files;
    total.bytes += usage.bytes;
    return usage;
  });
  return { each, total };
}

const shared = 0xffffffff;

export interface StoredUsage {
  /** Stored bytes of the different blocks of all manifests. */
  readonly bytes: number;
  /** Blocks that the store does not have. */
  readonly missing: number;
}

/**
 * How much the different blocks of the manifests take in a store. One that knows the sizes of its blocks is asked for them; from any
 * other each block is fetched.
 */
export async function measureStored(
  manifests: readonly Manifest[],
  store: Store,
  { concurrency = 32, onProgress = (_blocks: number) => {} } = {},
): Promise<StoredUsage> {
  const usage = { bytes: 0, missing: 0 };
  let blocks = 0;
  await forEachParallel(differentBlocks(manifests), concurrency, async (id, signal) => {
    const size = await storedSize(store, id, signal);
    if (size === undefined) usage.missing++;
    else usage.bytes += size;
    onProgress(++blocks);
  });
  return usage;
}

async function storedSize(store: Store, id: BlockId, signal: AbortSignal): Promise<number | undefined> {
  if (store.upkeep !== undefined) return (await store.upkeep.stat(id, signal))?.size;
  try {
    return (await store.get(id, signal)).length;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** What lies below a directory. */
export interface DirectoryUsage {
  readonly path: string;
  readonly depth: number;
  readonly files: number;
  readonly bytes: number;
}

/** How much each directory holds with all below it, down to a depth: 0 is the root alone. Further names of a file add nothing. */
export function usageByDirectory(manifest: Manifest, depth: number): DirectoryUsage[] {
  const usages: { path: string; depth: number; files: number; bytes: number }[] = [];
  /** The directories of the latest entry that are counted, from the root down. */
  const open: typeof usages = [];
  for (const { path, depth: at, inode } of walkManifest(manifest)) {
    open.length = Math.min(open.length, at);
    const kind = kindOfMode(inode.mode);
    if (kind === 'directory' && at <= depth) {
      const usage = { path, depth: at, files: 0, bytes: 0 };
      usages.push(usage);
      open.push(usage);
    } else if (kind === 'file' && inode.link === undefined)
      for (const usage of open) {
        usage.files++;
        usage.bytes += inode.size;
      }
  }
  return usages;
}

function* fileSizes({ columns: { mode, size, link } }: Manifest): Generator<number> {
  for (let row = 0; row < mode.length; row++)
    if (kindOfMode(mode[row]!) === 'file' && !link[row]) yield size[row]!;
}

/** The id of each different block of the manifests. */
function* differentBlocks(manifests: readonly Manifest[]): Generator<BlockId> {
  const equal = equalById(manifests);
  for (const [m, { columns }] of manifests.entries())
    for (const block of placedBlocks(columns))
      if (equal.firstLike(block, m) === equal.numberOf(block, m)) yield blockAt(columns, block.place).id;
}

function equalById(manifests: readonly Manifest[]): EqualBlocks {
  return new EqualBlocks(
    manifests.map(({ columns }) => columns),
    'id',
  );
}
