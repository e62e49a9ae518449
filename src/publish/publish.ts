import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { formatBytes } from '../base/units.ts';
import { packTree } from '../flist/pack.ts';
import type { Route } from '../store/route.ts';
import type { Store } from '../store/store.ts';
import type { Tree } from '../tree/tree.ts';

export interface PublishRequest {
  readonly tree: Tree;
  /** The manifest to write; its base name is the name that nodes ask for. */
  readonly manifest: string;
  readonly store: Store;
  /** Where readers find the blocks; none makes a manifest that its reader must tell. */
  readonly routes: readonly Route[];
  readonly tags: Readonly<Record<string, string>>;
  readonly onProgress?: (text: string) => void;
}

/** A flist that nodes can now ask for. */
export interface PublishedFlist {
  readonly name: string;
  readonly path: string;
  readonly manifestBytes: number;
  readonly files: number;
  readonly bytes: number;
  readonly blocks: number;
  readonly newBlocks: number;
  readonly storedBytes: number;
  readonly store: string;
}

/**
 * Packs a tree, puts its blocks into the store, and then gives the manifest its name: whoever sees the manifest finds
 * every block. On failure the manifest of before stays.
 */
export async function publishFlist({
  tree,
  manifest,
  store,
  routes,
  tags,
  onProgress,
}: PublishRequest): Promise<PublishedFlist> {
  const summary = await packTree(tree, {
    manifest,
    store,
    routes,
    tags: new Map(Object.entries(tags)),
    onProgress: ({ bytes, blocks }) => onProgress?.(`${formatBytes(bytes)} in ${blocks} blocks`),
  });
  return {
    name: basename(manifest),
    path: manifest,
    manifestBytes: (await stat(manifest)).size,
    store: store.address,
    ...summary,
  };
}
