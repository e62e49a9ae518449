import { stat } from 'node:fs/promises';
import { encodeName } from '../../base/names.ts';
import { forEachParallel } from '../../base/parallel.ts';
import type { Store } from '../../store/store.ts';
import type { FileState } from '../../tree/content.ts';
import { BlockIdSet } from '../block-id-set.ts';
import type { Inode } from '../inode.ts';
import { type Manifest, readManifest } from '../manifest.ts';
import {
  blockAt,
  blocksAt,
  childNamed,
  ctimeAt,
  inodeAt,
  nameBytes,
  targetBytes,
  xattrsAt,
} from '../manifest-columns.ts';

/**
 * How long before a pack began a file must have been left alone, in nanoseconds: a tick of the kernel's clock where the file system
 * keeps times as fine as that, and what the coarsest ones keep (vfat: 2 s) where a time looks rounded.
 */
const marginOf = (time: bigint) => (time % 1_000_000n === 0n ? 2_000_000_000n : 20_000_000n);
/** How many blocks are looked for in the store when not all are. */
const sampleSize = 64;

/** An earlier pack of the same tree, by which unchanged files are known. */
export class Previous {
  readonly manifest: Manifest;
  readonly #began: bigint | undefined;
  /** Which blocks the store has, where that was found out. */
  #held: BlockIdSet | undefined;

  private constructor(manifest: Manifest, began: bigint | undefined) {
    this.manifest = manifest;
    this.#began = began;
  }

  /** @throws Failure when there is no such manifest, or it is damaged. */
  static async read(path: string): Promise<Previous> {
    const [manifest, began] = [await readManifest(path), await beginningOf(path)];
    return new Previous(manifest, began);
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
    const bytes = encodeName(name);
    const isThere = guess < columns.ino.length && guess > 0 && columns.parent[guess] === parent;
    if (isThere && bytes.equals(nameBytes(columns, guess))) return guess;
    return childNamed(columns, parent, bytes);
  }

  /**
   * Whether a file's bytes are still those of a row: same size and time, untouched since before that pack began, and its blocks
   * are there. A program that sets times back cannot set the time of the change back.
   */
  isUnchanged(row: number, inode: Inode, state: FileState): boolean {
    const { columns } = this.manifest;
    if (this.#began === undefined || state.ctimeNs > this.#began - marginOf(state.ctimeNs)) return false;
    const isSame =
      columns.mode[row]! >>> 12 === inode.mode >>> 12 &&
      columns.size[row] === inode.size &&
      columns.mtime[row] === inode.mtime &&
      (columns.mtimeNs[row] ?? 0) === (inode.mtimeNs ?? 0);
    return (
      isSame && (this.#held === undefined || blocksAt(columns, row).every(({ id }) => this.#held!.has(id)))
    );
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
      encodeName(inode.name).equals(nameBytes(columns, row)) &&
      encodeName(inode.target ?? '').equals(targetBytes(columns, row)) &&
      haveEqualValues(xattrsAt(columns, row), inode.xattrs ?? new Map())
    );
  }

  /** A row as it is written again. */
  rowAt(row: number) {
    const { columns } = this.manifest;
    return { inode: inodeAt(columns, row), refs: blocksAt(columns, row) };
  }
}

/**
 * When the pack of a manifest began: that is its modification time (`markBeginning`), which lies before the file was made. Where it does not,
 * somebody copied the file without its times, or changed it, and nothing is known.
 * @returns nanoseconds since the epoch
 */
export async function beginningOf(path: string): Promise<bigint | undefined> {
  const { mtimeNs, birthtimeNs } = await stat(path, { bigint: true });
  return mtimeNs < birthtimeNs ? mtimeNs : undefined;
}

function haveEqualValues(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
