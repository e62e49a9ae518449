import { Failure } from '../base/errors.ts';
import type { Route } from '../store/route.ts';
import type { Store } from '../store/store.ts';
import type { Tree } from '../tree/tree.ts';
import { initBlockCodec } from './block-codec.ts';
import { ManifestWriter } from './manifest-writer.ts';
import { type BlockCounts, packBlocks } from './pack-blocks.ts';
import { packInodes } from './pack-inodes.ts';

export interface PackOptions {
  /** The path of the `.fl` file. */
  readonly manifest: string;
  /** Where the blocks go. */
  readonly store: Store;
  /** Where the manifest says that the blocks are; `routeUrl` makes their addresses. */
  readonly routes: readonly Route[];
  readonly tags?: ReadonlyMap<string, string>;
  /** Blocks in the works at one time, each of about 2 MiB of memory; 8 by default. */
  readonly concurrency?: number;
  /** Called after every block with the counts so far. */
  readonly onProgress?: (counts: Readonly<BlockCounts>) => void;
}

export interface PackSummary extends Readonly<BlockCounts> {
  /** Regular files in the manifest. */
  readonly files: number;
}

/**
 * Packs a tree: its contents as blocks into the store, everything else into a manifest, which gets its name when every block
 * is in its place. Equal trees give equal manifests.
 * @throws Failure of the store, of a content that cannot be read, or for a name that a manifest cannot hold; the former
 * manifest stays.
 */
export async function packTree(tree: Tree, options: PackOptions): Promise<PackSummary> {
  const { manifest: path, store, routes, tags = new Map(), concurrency = 8, onProgress = () => {} } = options;
  if (!store.capabilities.write)
    throw new Failure('denied', `${store.address} cannot keep blocks`, {
      hint: 'pack into a store that can be written, for example dir:///srv/blocks',
    });
  await initBlockCodec();
  const { inodes, files } = packInodes(tree);
  const { blocks, counts } = await packBlocks(files, store, { concurrency, onProgress });
  const writer = await ManifestWriter.create(path);
  try {
    for (const inode of inodes) writer.add(inode, blocks.get(inode.ino));
    await writer.finish({ tags, routes });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { files: files.length, ...counts };
}
