import { ArchiveEntries } from './archive-entries.ts';
import { bytesContent, type Content } from './content.ts';
import { readTar } from './read-tar.ts';
import type { Tree } from './tree.ts';

export interface FromTarOptions {
  /** Moves the bytes of each file elsewhere, `Depot.keep` for one; then no more than one file is in memory. */
  readonly keep?: (content: Content) => Promise<Content>;
  /** What is read, for messages. */
  readonly name?: string;
}

/**
 * The tree in a tar archive, with the contents in memory, or where `keep` puts them. For archives that may be of any size there
 * is `flist/tar-source.ts`. A name given twice counts the last time. Hard links are one group, called by the first of its names.
 * @throws Failure as `readTar`, and `hostile` for names that leave the tree.
 */
export async function treeFromTar(
  source: AsyncIterable<Uint8Array> | Uint8Array,
  { keep = async (content) => content, name = 'tar archive' }: FromTarOptions = {},
): Promise<Tree> {
  const entries = new ArchiveEntries(name);
  const content = async (data: { read(): Promise<Uint8Array> }) =>
    keep(bytesContent(Buffer.from(await data.read()))); // a copy: the chunk can go
  for await (const member of readTar(source, { content, name })) {
    if ('linkTo' in member) entries.link(member.name, member.linkTo);
    else entries.add(member.name, member.entry);
  }
  return entries.tree();
}
