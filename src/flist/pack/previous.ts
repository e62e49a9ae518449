import { stat } from 'node:fs/promises';
import { encodeName } from '../../base/names.ts';
import { forEachParallel } from '../../base/parallel.ts';
import type { Store } from '../../store/store.ts';
import type { FileEntry } from '../../tree/tree.ts';
import { BlockIdSet } from '../block/block-id-set.ts';
import { type Inode, kindOfMode } from '../manifest/inode.ts';
import { type Manifest, readManifest } from '../manifest/manifest.ts';
import {
  blockAt,
  blocksAt,
  childNamed,
  ctimeAt,
  hasName,
  hasTarget,
  inodeAt,
  xattrsAt,
} from '../manifest/manifest-columns.ts';
import { notedSource, type SourceRoot } from './source-root.ts';

/**
 * How long before a pack began a file must have been left alone, in nanoseconds: a tick of the kernel's clock where the file system
 * keeps times as fine as that, and what the coarsest ones keep (vfat: 2 s) where a time looks rounded.
 */
const marginOf = (time: bigint) => (time % 1_000_000n === 0n ? 2_000_000_000n : 20_000_000n);
/** How many blocks are looked for in the store when not all are. */
const sampleSize = 64;

const none: ReadonlyMap<string, Uint8Array> = new Map();

/** An earlier pack of the same tree, by which unchanged files are known. */
export class Previous {
  readonly manifest: Manifest;
  readonly #began: bigint | undefined;
  readonly #isOwn: boolean;
  /** Whether it was packed of the directory that is packed now. */
  readonly isOfSource: boolean;
  /** Which blocks the store has, where that was found out. */
  #held: BlockIdSet | undefined;

  private constructor(manifest: Manifest, { began, isOwn, source }: Origin, root: SourceRoot | undefined) {
    this.manifest = manifest;
    this.#began = began;
    this.#isOwn = isOwn;
    this.isOfSource =
      root !== undefined && (source === undefined ? this.#isEarlier(root.pathNs) : source === root.identity);
  }

  /**
   * @param root the directory that is packed now
   * @throws Failure when there is no such manifest, or it is damaged.
   */
  static async read(path: string, root?: SourceRoot): Promise<Previous> {
    return new Previous(await readManifest(path), await originOf(path), root);
  }

  /** Whether it says when its pack began. Without that every file counts as changed. */
  get hasBeginning(): boolean {
    return this.#began !== undefined;
  }

  /**
   * Looks whether the store still has the blocks: some of them, and all when told to, or when one of those is missing. A
   * file whose blocks are not there counts as changed.
   */
  async checkBlocks(store: Store, { all }: { readonly all: boolean }): Promise<void> {
    if (!all && (await this.#hasSample(store))) return;
    const held = new BlockIdSet();
    if (store.capabilities.list) for await (const id of store.list()) held.add(id);
    else
      await forEachParallel(this.#distinctIds(), 32, async (id, signal) => {
        if (await store.has(id, signal)) held.add(id);
      });
    this.#held = held;
  }

  async #hasSample(store: Store): Promise<boolean> {
    const { columns } = this.manifest;
    const count = columns.blockStart.at(-1)!;
    const places = Array.from({ length: Math.min(sampleSize, count) }, (_, i) =>
      Math.floor((i * count) / Math.min(sampleSize, count)),
    );
    let hasAll = true;
    await forEachParallel(places, 16, async (place, signal) => {
      hasAll &&= await store.has(blockAt(columns, place).id, signal);
    });
    return hasAll;
  }

  *#distinctIds(): Generator<string> {
    const seen = new BlockIdSet();
    for (const [, { id }] of this.manifest.blockRefs()) if (seen.add(id)) yield id;
  }

  /**
   * The row of an entry.
   * @param parent the row of its directory
   * @param guess the row that it would be if nothing had changed
   */
  find(parent: number, name: string, guess: number): number | undefined {
    const { columns } = this.manifest;
    const isThere = guess < columns.ino.length && guess > 0 && columns.parent[guess] === parent;
    return isThere && hasName(columns, guess, name) ? guess : childNamed(columns, parent, encodeName(name));
  }

  /**
   * Whether nobody has touched a file since that pack began, so that its bytes and its attributes are those of a row: same size and time,
   * and no change since. A program that sets times back cannot set the time of the change back. Nor may a directory above it have got its name
   * since: another file of the same size and time may have come with it.
   */
  isUntouched(row: number, { content: { state, size }, mtime, mtimeNs = 0 }: FileEntry): boolean {
    const { columns } = this.manifest;
    if (!this.isOfSource || state?.pathNs === undefined) return false;
    return (
      this.#isEarlier(state.ctimeNs) &&
      this.#isEarlier(state.pathNs) &&
      kindOfMode(columns.mode[row]!) === 'file' &&
      columns.size[row] === size &&
      columns.mtime[row] === mtime &&
      (columns.mtimeNs[row] ?? 0) === mtimeNs
    );
  }

  /** Whether a time lies before the pack. */
  #isEarlier(time: bigint): boolean {
    return this.#began !== undefined && time <= this.#began - marginOf(time);
  }

  /** Whether the store has the blocks of a row. */
  hasBlocks(row: number): boolean {
    return (
      this.#held === undefined || blocksAt(this.manifest.columns, row).every(({ id }) => this.#held!.has(id))
    );
  }

  /**
   * The extended attributes of a row; undefined when they may not be all of them: somebody else packed it, and `trusted.*` shows
   * itself to some only.
   */
  xattrsAt(row: number): ReadonlyMap<string, Uint8Array> | undefined {
    return this.#isOwn ? xattrsAt(this.manifest.columns, row) : undefined;
  }

  /** Whether a row is exactly this inode, its number and its directory's included; its blocks are not compared. */
  isRow(row: number, inode: Inode): boolean {
    const { columns } = this.manifest;
    if (row >= columns.ino.length) return false;
    const parent = row === 0 ? 0 : columns.ino[columns.parent[row]!];
    const link = columns.link[row];
    return (
      columns.ino[row] === inode.ino &&
      parent === inode.parent &&
      columns.mode[row] === inode.mode &&
      columns.size[row] === inode.size &&
      columns.mtime[row] === inode.mtime &&
      ctimeAt(columns, row) === inode.ctime &&
      (columns.mtimeNs[row] ?? 0) === (inode.mtimeNs ?? 0) &&
      columns.uid[row] === inode.uid &&
      columns.gid[row] === inode.gid &&
      columns.rdev[row] === inode.rdev &&
      (link ? columns.ino[link] : undefined) === inode.link &&
      hasName(columns, row, inode.name) &&
      hasTarget(columns, row, inode.target ?? '') &&
      haveEqualValues(xattrsAt(columns, row), inode.xattrs ?? none)
    );
  }

  /** A row as it is written again. */
  rowAt(row: number) {
    const { columns } = this.manifest;
    return { inode: inodeAt(columns, row), refs: blocksAt(columns, row) };
  }
}

/** What the file of a manifest says of its pack. */
interface Origin {
  /** When it began, in nanoseconds since the epoch. */
  readonly began: bigint | undefined;
  /** Whether the user was that of this process. */
  readonly isOwn: boolean;
  /** The identity of the directory that was packed, where that is known. */
  readonly source: string | undefined;
}

/**
 * When a pack began is the modification time of its manifest (`PackRows.finish`), which lies before the file was made. Where it does not,
 * somebody copied the file without its times, or changed it, and nothing is known.
 */
export async function originOf(path: string): Promise<Origin> {
  const { mtimeNs, birthtimeNs, uid } = await stat(path, { bigint: true });
  return {
    began: mtimeNs < birthtimeNs ? mtimeNs : undefined,
    isOwn: Number(uid) === process.geteuid!(),
    source: await notedSource(path),
  };
}

function haveEqualValues(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
