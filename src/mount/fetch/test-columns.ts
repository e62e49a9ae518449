/** For tests of fetching: files of a few blocks, as columns. */
import { blockSize, encodeBlock } from '../../flist/block/block-codec.ts';
import { manifestOf } from '../../flist/manifest/manifest.ts';
import type { ManifestColumns } from '../../flist/manifest/manifest-columns.ts';
import { MemoryStore } from '../../store/memory.ts';

export interface TestFiles {
  readonly columns: ManifestColumns;
  readonly store: MemoryStore;
  /** The content of each file: that of row 1 is the first. */
  readonly contents: readonly Buffer[];
  /** Ids of the blocks of each file. */
  readonly ids: readonly (readonly string[])[];
}

/** Files with these contents, in rows 1, 2, and so on, with their blocks in a store. */
export async function testFiles(contents: readonly Buffer[]): Promise<TestFiles> {
  const store = new MemoryStore();
  const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
  const inodes = [{ ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 }];
  const blocks = new Map<number, { id: string; key: string }[]>();
  for (const [index, content] of contents.entries()) {
    const ino = index + 2;
    const name = `file${String(index).padStart(5, '0')}`;
    inodes.push({ ...metadata, ino, parent: 1, name, size: content.length, mode: 0o100644 });
    const refs = [];
    for (let at = 0; at < content.length; at += blockSize) {
      const { ref, blob } = await encodeBlock(content.subarray(at, at + blockSize));
      await store.put(ref.id, blob);
      refs.push(ref);
    }
    blocks.set(ino, refs);
  }
  const { columns } = manifestOf({ inodes, blocks });
  return { columns, store, contents, ids: [...blocks.values()].map((refs) => refs.map(({ id }) => id)) };
}
