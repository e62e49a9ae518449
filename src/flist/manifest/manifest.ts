import { GrowingArray } from '../../base/growing-array.ts';
import { encodeName } from '../../base/names.ts';
import type { Route } from '../../store/route.ts';
import { walkRows } from '../../tree/children.ts';
import type { BlockRef } from '../block/block-codec.ts';
import type { Inode } from './inode.ts';
import { ColumnsBuilder } from './manifest-builder.ts';
import { checkStructure } from './manifest-check.ts';
import { blockAt, blocksAt, childNamed, inodeAt, type ManifestColumns, rowOf } from './manifest-columns.ts';
import { readManifestRows } from './manifest-reader.ts';
import { failureOf } from './manifest-rules.ts';
import { ManifestWriter } from './manifest-writer.ts';
import { addRange, type PrefetchRange, prefetchRanges, prefetchRows } from './prefetch-list.ts';

export type { Route } from '../../store/route.ts';
export type { Inode } from './inode.ts';
export type { PrefetchRange } from './prefetch-list.ts';

/** All that a manifest says beside its inodes and their blocks. */
export interface ManifestSettings {
  readonly tags: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];
  /** What a mount fetches before somebody asks for it, in this order; nothing when absent. No block is in it twice. */
  readonly prefetch?: Iterable<PrefetchRange>;
}

/** What an `.fl` file says: a tree of inodes, the blocks of each file, and where the blocks are. */
export class Manifest implements ManifestSettings {
  /** The inodes as they lie in memory, for work on many of them. */
  readonly columns: ManifestColumns;
  readonly tags: ReadonlyMap<string, string>;
  readonly routes: readonly Route[];

  constructor(columns: ManifestColumns, { tags, routes }: Pick<ManifestSettings, 'tags' | 'routes'>) {
    this.columns = columns;
    this.tags = tags;
    this.routes = routes;
  }

  get prefetch(): Iterable<PrefetchRange> {
    return { [Symbol.iterator]: () => prefetchRanges(this.columns) };
  }

  /** Every inode, ascending by number; the first is the root. Each is made when it is taken. */
  get inodes(): Iterable<Inode> & { readonly length: number } {
    const { columns } = this;
    return {
      length: columns.ino.length,
      *[Symbol.iterator]() {
        for (let row = 0; row < columns.ino.length; row++) yield inodeAt(columns, row);
      },
    };
  }

  inode(ino: number): Inode | undefined {
    const row = rowOf(this.columns.ino, ino);
    return row === undefined ? undefined : inodeAt(this.columns, row);
  }

  /** The inode at a path as a `Tree` has it: `''` is the root. */
  find(path: string): Inode | undefined {
    let row: number | undefined = 0;
    for (const name of path === '' ? [] : path.split('/'))
      if (row !== undefined) row = childNamed(this.columns, row, encodeName(name));
    return row === undefined ? undefined : inodeAt(this.columns, row);
  }

  /** The blocks of a file in their order; none for an empty file and everything else. */
  blocksOf(ino: number): readonly BlockRef[] {
    const row = rowOf(this.columns.ino, ino);
    return row === undefined ? [] : blocksAt(this.columns, row);
  }

  /** How many blocks a file has. */
  blockCount(ino: number): number {
    const row = rowOf(this.columns.ino, ino);
    const { blockStart } = this.columns;
    return row === undefined ? 0 : blockStart[row + 1]! - blockStart[row]!;
  }

  /** Every block of every file, ascending by inode number. */
  *blockRefs(): Generator<readonly [ino: number, ref: BlockRef]> {
    const { ino, blockStart } = this.columns;
    for (let row = 0; row < ino.length; row++)
      for (let place = blockStart[row]!; place < blockStart[row + 1]!; place++)
        yield [ino[row]!, blockAt(this.columns, place)];
  }

  /** The same inodes with other settings. @throws Violation for blocks to fetch ahead of an inode that is not there */
  with({ prefetch, ...settings }: Partial<ManifestSettings>): Manifest {
    const columns = prefetch === undefined ? this.columns : withPrefetch(this.columns, prefetch);
    return new Manifest(columns, { tags: this.tags, routes: this.routes, ...settings });
  }
}

function withPrefetch(columns: ManifestColumns, ranges: Iterable<PrefetchRange>): ManifestColumns {
  const prefetch = new GrowingArray(Uint32Array);
  for (const range of ranges) addRange(prefetch, columns.ino, range);
  return { ...columns, prefetch: prefetch.done() };
}

/** A manifest as plain values. */
export interface ManifestRows extends Partial<ManifestSettings> {
  /** In any order. */
  readonly inodes: Iterable<Inode>;
  /** The blocks of each file that has some, by inode number. */
  readonly blocks?: ReadonlyMap<number, readonly BlockRef[]>;
}

/**
 * A manifest of these rows. Each is checked by itself; that they fit together is up to the caller.
 * @throws Failure for a row that no manifest can hold, a missing root or parent.
 */
export function manifestOf({
  inodes,
  blocks = new Map(),
  tags = new Map(),
  routes = [],
  prefetch = [],
}: ManifestRows): Manifest {
  try {
    const builder = new ColumnsBuilder();
    for (const inode of [...inodes].sort((a, b) => a.ino - b.ino)) builder.addInode(inode);
    for (const [ino, refs] of blocks) for (const ref of refs) builder.addBlock(ino, ref);
    for (const range of prefetch) builder.addPrefetch(range);
    return new Manifest(builder.build(), { tags, routes });
  } catch (error) {
    throw failureOf(error, 'these rows are no manifest', 'leave out what is wrong');
  }
}

/**
 * Reads an `.fl` file whole and checks it: each row by itself, and that they fit together (`checkStructure`). 1,000,000 files
 * with a block each take some 120 MB.
 * @throws Failure `not-found`, `corrupt` for what is no manifest or a damaged one, `hostile` for names that leave the tree.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const { columns, tags, routes } = await readManifestRows(path);
  try {
    checkStructure(columns);
  } catch (error) {
    throw failureOf(error, `${path} is no valid manifest`, 'get it again from where it was published');
  }
  return new Manifest(columns, { tags, routes });
}

/**
 * Writes an `.fl` file that rfs reads too. The inodes are numbered anew, depth first with siblings in byte order, so that
 * manifests of equal trees give equal bytes. The name shows the old or the whole new file, whatever happens.
 * @throws Failure for a manifest that `readManifest` or rfs could not read back.
 */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const writer = await ManifestWriter.create(path);
  try {
    const { columns, tags, routes } = manifest;
    const numbers = new Uint32Array(columns.ino.length);
    for (const [inode, row] of renumbered(columns)) {
      numbers[row] = inode.ino;
      writer.add(inode, blocksAt(columns, row));
    }
    const prefetch = Array.from(prefetchRows(columns), ({ row, ...blocks }) => ({
      ino: numbers[row]!,
      ...blocks,
    }));
    await writer.finish({ tags, routes, prefetch });
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** The rows of a manifest in the order and with the inode numbers that they are written with. */
function* renumbered(columns: ManifestColumns): Generator<readonly [Inode, row: number]> {
  const numbers = new Uint32Array(columns.ino.length);
  /** By the row of what was the first name of a file with several: the number of what is the first now. */
  const firsts = new Uint32Array(columns.link.length);
  let ino = 0;
  for (const { row, depth } of walkRows(columns)) {
    numbers[row] = ++ino;
    const group = columns.link[row] || row;
    const first = firsts[group];
    if (first === 0) firsts[group] = ino;
    const { link: _, ...inode } = inodeAt(columns, row);
    const parent = depth === 0 ? 0 : numbers[columns.parent[row]!]!;
    yield [{ ...inode, ino, parent, ...(first && { link: first }) }, row];
  }
}
