import { compareBytes } from '../base/names.ts';
import { type Inode, rootIno } from './inode.ts';
import type { Manifest } from './manifest.ts';

/** An inode with its place in the tree. */
export interface PlacedInode {
  /** As in a `Tree`: `''` for the root, no leading `/`. */
  readonly path: string;
  /** 0 for the root. */
  readonly depth: number;
  readonly inode: Inode;
}

/** Every inode of a manifest that passed `checkManifest`: a directory before its children, children in byte order. */
export function* walkManifest(manifest: Manifest): Generator<PlacedInode> {
  const children = new Map<number, Inode[]>();
  for (const inode of manifest.inodes) {
    const siblings = children.get(inode.parent);
    if (siblings === undefined) children.set(inode.parent, [inode]);
    else siblings.push(inode);
  }
  const pending: PlacedInode[] = [{ path: '', depth: 0, inode: manifest.inodes[rootIno - 1]! }];
  for (let placed = pending.pop(); placed !== undefined; placed = pending.pop()) {
    yield placed;
    const { path, depth, inode } = placed;
    const below = (children.get(inode.ino) ?? []).sort((a, b) => compareBytes(b.name, a.name));
    for (const child of below)
      pending.push({
        path: path === '' ? child.name : `${path}/${child.name}`,
        depth: depth + 1,
        inode: child,
      });
  }
}
