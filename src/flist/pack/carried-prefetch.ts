import { encodeName } from '../../base/names.ts';
import { blockSize } from '../block/block-codec.ts';
import { type Inode, kindOfMode } from '../manifest/inode.ts';
import { childNamed, type ManifestColumns } from '../manifest/manifest-columns.ts';
import { type PrefetchRange, prefetchRows } from '../manifest/prefetch-list.ts';

/** What an earlier manifest has to fetch ahead, for the files whose paths are still there: the blocks that they still have. */
export class CarriedPrefetch {
  readonly #columns: ManifestColumns;
  /** The earlier rows of those files and of the directories above them. */
  readonly #wanted = new Set<number>();
  /** The earlier rows of those directories, by their new inode number. */
  readonly #directories = new Map<number, number>();
  /** The new inodes of those files, by their earlier row. */
  readonly #files = new Map<number, Inode>();

  constructor(columns: ManifestColumns) {
    this.#columns = columns;
    for (const { row } of prefetchRows(columns))
      for (let at = row; !this.#wanted.has(at); at = columns.parent[at]!) this.#wanted.add(at);
  }

  /** Looks at the next inode of the new manifest; a directory comes before what is in it. */
  take(inode: Inode): void {
    const row = this.#rowOf(inode);
    if (row === undefined || !this.#wanted.has(row)) return;
    const kind = kindOfMode(inode.mode);
    if (kind === 'directory') this.#directories.set(inode.ino, row);
    else if (kind === 'file') this.#files.set(row, inode);
  }

  *ranges(): Generator<PrefetchRange> {
    for (const { row, first, last } of prefetchRows(this.#columns)) {
      const file = this.#files.get(row);
      const end = Math.ceil((file?.size ?? 0) / blockSize);
      if (file !== undefined && first < end) yield { ino: file.ino, first, last: Math.min(last, end - 1) };
    }
  }

  #rowOf({ parent, name }: Inode): number | undefined {
    if (parent === 0) return 0;
    const directory = this.#directories.get(parent);
    return directory === undefined ? undefined : childNamed(this.#columns, directory, encodeName(name));
  }
}
