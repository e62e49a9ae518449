import { Failure } from '../../base/errors.ts';
import type { Store } from '../../store/store.ts';
import { getChecked } from '../../store/wrappers/failover.ts';
import type { Content } from '../../tree/content.ts';
import { nameHardLinks } from '../../tree/hard-links.ts';
import { type Entry, Tree } from '../../tree/tree.ts';
import { type BlockRef, blockSize, decodeBlock, initBlockCodec } from '../block/block-codec.ts';
import { walkManifest } from '../walk.ts';
import { type Inode, kindOfMode, splitDevice } from './inode.ts';
import type { Manifest } from './manifest.ts';

/** Gives the plain bytes of a block, checked, and exactly `plainSize` of them. */
export type BlockReader = (ref: BlockRef, plainSize: number) => Promise<Uint8Array>;

/** Reads every block from the store. */
export function storeReader(store: Store): BlockReader {
  return async (ref, plainSize) => {
    await initBlockCodec();
    return getChecked(store, ref.id, (blob) => decodeBlock(blob, ref, plainSize));
  };
}

/**
 * A manifest as a tree. Contents are read from the blocks when somebody wants them; each block is checked, and a read that
 * fails says which file it was for.
 */
export function treeOfManifest(manifest: Manifest, readBlock: BlockReader): Tree {
  const tree = Tree.from(manifestEntries(manifest, readBlock));
  return manifest.columns.link.length > 0 ? nameHardLinks(tree) : tree;
}

/** The entries of `treeOfManifest` one by one, depth first. A hard-link group is called by the inode number of its first name. */
export function* manifestEntries(
  manifest: Manifest,
  readBlock: BlockReader,
): Generator<readonly [path: string, entry: Entry]> {
  const { ino, link } = manifest.columns;
  const firstNames = new Set(Array.from(link, (row) => (row === 0 ? 0 : ino[row]!)));
  for (const { path, inode } of walkManifest(manifest)) {
    const group = inode.link ?? (firstNames.has(inode.ino) ? inode.ino : undefined);
    const content = blockContent(path, inode.size, manifest.blocksOf(inode.ino), readBlock);
    yield [path, entryOf(inode, content, group)];
  }
}

function entryOf(inode: Inode, content: Content, group: number | undefined): Entry {
  const { uid, gid, mtime, mtimeNs, xattrs } = inode;
  const metadata = {
    mode: inode.mode & 0o7777,
    uid,
    gid,
    mtime,
    ...(mtimeNs !== undefined && { mtimeNs }),
    ...(xattrs !== undefined && { xattrs }),
  };
  const kind = kindOfMode(inode.mode)!;
  switch (kind) {
    case 'file':
      return { kind, ...metadata, content, ...(group !== undefined && { hardLink: `${group}` }) };
    case 'symlink':
      return { kind, ...metadata, target: inode.target! };
    case 'character':
    case 'block':
      return { kind, ...metadata, ...splitDevice(inode.rdev) };
    default:
      return { kind, ...metadata };
  }
}

function blockContent(
  path: string,
  size: number,
  refs: readonly BlockRef[],
  readBlock: BlockReader,
): Content {
  async function* chunks() {
    for (const [index, ref] of refs.entries()) {
      try {
        yield await readBlock(ref, Math.min(blockSize, size - index * blockSize));
      } catch (error) {
        throw unreadable(path, error);
      }
    }
  }
  async function read() {
    const whole: Uint8Array[] = [];
    for await (const chunk of chunks()) whole.push(chunk);
    return Buffer.concat(whole);
  }
  return { size, chunks, read };
}

function unreadable(path: string, cause: unknown): unknown {
  if (!(cause instanceof Failure)) return cause;
  return new Failure(cause.kind, `cannot read ${path}`, {
    cause,
    ...(cause.hint !== undefined && { hint: cause.hint }),
  });
}
