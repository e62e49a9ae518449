import { Failure } from '../base/errors.ts';
import { writeTreeToDirectory } from '../tree/to-directory.ts';
import { type Entry, type EntryKind, Tree } from '../tree/tree.ts';
import type { Manifest } from './manifest.ts';
import { type BlockReader, treeOfManifest } from './manifest-tree.ts';

export interface UnpackOptions {
  readonly readBlock: BlockReader;
  /** A new or an empty directory. */
  readonly directory: string;
  /** Give every file the owner that the manifest has; needs root. Otherwise all of it belongs to the caller. */
  readonly preserveOwnership?: boolean;
}

export interface UnpackSummary {
  readonly files: number;
  readonly bytes: number;
  /** What cannot be made: sockets, and devices when the caller is not root. */
  readonly skipped: readonly { readonly path: string; readonly kind: EntryKind }[];
}

/**
 * Writes the files of a manifest into a directory with modes, times, links and, as root, devices. Nothing outside the
 * directory is touched, and nothing is left in it after a failure.
 * @throws Failure of a block, `conflict` when the directory is not empty, `denied` for owners without being root.
 */
export async function unpackManifest(manifest: Manifest, options: UnpackOptions): Promise<UnpackSummary> {
  const { directory, readBlock, preserveOwnership = false } = options;
  const privileged = process.geteuid!() === 0;
  if (preserveOwnership && !privileged)
    throw new Failure('denied', 'only root can give files to other owners', {
      hint: 'run as root, or leave out --preserve-ownership',
    });
  const whole = treeOfManifest(manifest, readBlock);
  const skipped = [...whole]
    .filter(([, { kind }]) => !canMake(kind, privileged))
    .map(([path, { kind }]) => ({ path, kind }));
  const possible = [...whole].filter(([, { kind }]) => canMake(kind, privileged));
  const tree = Tree.from(preserveOwnership ? possible : possible.map(ownedByCaller));
  await writeTreeToDirectory(tree, directory, { privileged });
  const files = possible.filter(([, { kind }]) => kind === 'file').length;
  return { files, bytes: tree.contentSize(), skipped };
}

function canMake(kind: EntryKind, privileged: boolean): boolean {
  if (kind === 'character' || kind === 'block') return privileged;
  return kind !== 'socket';
}

function ownedByCaller([path, entry]: readonly [string, Entry]): readonly [string, Entry] {
  return [path, { ...entry, uid: process.geteuid!(), gid: process.getegid!() }];
}
