import { writeAtomic } from '../base/files.ts';
import type { Route } from '../store/route.ts';
import type { BlockRef } from './block-codec.ts';
import type { Inode } from './inode.ts';
import { checkManifest, checkWritable } from './manifest-check.ts';
import { readManifestRows } from './manifest-reader.ts';
import { manifestBytes } from './manifest-writer.ts';

export type { Route } from '../store/route.ts';
export type { Inode } from './inode.ts';

/** What an `.fl` file says: a tree of inodes, the blocks of each file, and where the blocks are. */
export interface Manifest {
  /** Ascending by inode number; the first is the root. */
  readonly inodes: readonly Inode[];
  /** The blocks of each file that has some, by inode number, in the order of the file. */
  readonly blocks: ReadonlyMap<number, readonly BlockRef[]>;
  readonly tags: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];
}

/**
 * Reads an `.fl` file whole and checks it; what comes back holds every rule of `checkManifest`.
 * @throws Failure `not-found`, `corrupt` for what is no manifest or a damaged one, `hostile` for names that leave the tree.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const manifest = await readManifestRows(path);
  checkManifest(manifest, path);
  return manifest;
}

/**
 * Writes an `.fl` file that rfs reads too. Equal manifests give equal bytes, and the name shows the old or the whole new
 * file, whatever happens.
 * @throws Failure for a manifest that `readManifest` or rfs could not read back.
 */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  checkWritable(manifest, path);
  await writeAtomic(path, manifestBytes(manifest));
}
