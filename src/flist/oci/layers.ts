import { ByteReader } from '../../archive/byte-reader.ts';
import { decompressStream, detectCompression } from '../../archive/compression.ts';
import { Failure } from '../../base/errors.ts';
import { Spool } from '../../base/spool.ts';
import { TextList } from '../../base/text-list.ts';
import { SliceContent } from '../../tree/content.ts';
import { readTar, type TarMember } from '../../tree/read-tar.ts';
import { nameOf, parentOf, treePath } from '../../tree/tree.ts';
import type { TreeBuilder } from '../../tree/tree-builder.ts';
import { verified } from './digest.ts';
import type { Layer } from './image.ts';

/** A layer whose plain archive is on disk and verified. */
export interface SpooledLayer {
  readonly name: string;
  readonly archive: SliceContent;
  /** What it takes away from the layers below. */
  readonly removals: Removals;
  close(): Promise<void>;
}

/** Lists, since a layer may take a million files away. */
interface Removals {
  /** Entries that it has no more. */
  readonly whiteouts: TextList;
  /** Directories of which nothing shows through. */
  readonly opaque: TextList;
  /** Its own directories; they replace what is no directory below. */
  readonly directories: TextList;
}

/** The most bytes of the names in one of these lists. */
const mostText = 2 ** 30;

const whiteoutPrefix = '.wh.';
const opaqueName = '.wh..wh..opq';
/** Before names of AUFS's own, which are no part of the image. */
const aufsPrefix = '.wh..wh.';

/**
 * Brings the plain archive of a layer to disk and verifies it: stored and plain bytes against their digests, and that every
 * member can be read. A layer that lies on disk uncompressed stays where it is.
 * @param limit the most plain bytes
 * @throws Failure `corrupt` for bytes or members that are not what they must be, `hostile` for too many bytes
 */
export async function spoolLayer(
  { name, content, stored, diffId }: Layer,
  { limit, onBytes = () => {} }: { limit: number; onBytes?: (bytes: number) => void },
): Promise<SpooledLayer> {
  const passing = counted(content.chunks(), onBytes);
  const reader = new ByteReader(stored ? verified(passing, stored, name) : passing, name);
  let spool: Spool | undefined;
  try {
    const isPlain = detectCompression(await reader.peek(6)) === 'none';
    const plain = verified(
      decompressStream(reader.rest(), { limit, name }),
      { digest: diffId },
      `${name}, decompressed,`,
    );
    const isInPlace = isPlain && content instanceof SliceContent;
    spool = isInPlace ? undefined : await Spool.open();
    const removals = await readRemovals(spool ? spool.tee(plain) : plain, name);
    for await (const _ of reader.rest()); // what follows the compressed data belongs to the digest too
    return {
      name,
      archive: isInPlace ? content : new SliceContent(spool!, 0, spool!.size),
      removals,
      close: async () => spool?.close(),
    };
  } catch (error) {
    await spool?.close();
    throw error;
  } finally {
    await reader.close();
  }
}

async function readRemovals(archive: AsyncIterable<Uint8Array>, name: string): Promise<Removals> {
  const removals = { whiteouts: new TextList(), opaque: new TextList(), directories: new TextList() };
  const add = (list: TextList, path: string) => {
    list.add(path);
    if (list.size > mostText) throw new Failure('hostile', `${name} has more names than any image`);
  };
  const nowhere = new SliceContent(undefined as never, 0, 0); // contents are placed when the layer is laid on
  for await (const member of readTar(archive, { content: () => nowhere, name, mayLackEnd: true })) {
    const path = named(name, () => treePath(member.name));
    const meaning = meaningOf(path, name);
    if (meaning.kind === 'whiteout') add(removals.whiteouts, meaning.path);
    else if (meaning.kind === 'opaque') add(removals.opaque, meaning.path);
    else if (isDirectory(member)) add(removals.directories, path);
  }
  return removals;
}

const isDirectory = (member: TarMember) => 'entry' in member && member.entry.kind === 'directory';

/**
 * Lays a layer over those below (OCI image spec, "Image Layer Filesystem Changeset"): what it removes is removed from the layers
 * below and never from itself, then its members are put in as if they were extracted.
 * @throws Failure `corrupt`, `conflict` or `hostile` for members that have no place
 */
export async function applyLayer(
  tree: TreeBuilder,
  { name, archive, removals }: SpooledLayer,
): Promise<void> {
  named(name, () => removeFrom(tree, removals));
  const content = ({ offset, size }: { offset: number; size: number }) => archive.part(offset, size);
  for await (const member of readTar(archive.chunks(), { content, name, mayLackEnd: true })) {
    const path = treePath(member.name);
    if (meaningOf(path, name).kind !== 'entry') continue;
    named(name, () => ('linkTo' in member ? tree.link(path, member.linkTo) : tree.put(path, member.entry)));
  }
}

function removeFrom(tree: TreeBuilder, { whiteouts, opaque, directories }: Removals): void {
  const ways = new Set<string>();
  const addWay = (path: string | undefined) => {
    for (let at = path; at && !ways.has(at); at = parentOf(at)) ways.add(at);
  };
  for (const path of whiteouts) addWay(parentOf(path));
  for (const path of opaque) addWay(path);
  /** What is no directory below and is replaced by one of the layer: what it leads to there is not meant. */
  const replaced = new Set<string>();
  for (const path of directories)
    if (ways.has(path) && (tree.get(path)?.kind ?? 'directory') !== 'directory') replaced.add(path);
  const isMeant = (path: string | undefined): boolean => {
    for (let at = path; at; at = parentOf(at)) if (replaced.has(at)) return false;
    return true;
  };
  for (const path of whiteouts) if (isMeant(parentOf(path))) tree.remove(path);
  for (const path of opaque) if (isMeant(path)) tree.clear(path);
}

type Meaning =
  | { readonly kind: 'entry' | 'ignored' }
  | { readonly kind: 'whiteout' | 'opaque'; readonly path: string };

/** What the path of a member says. @throws Failure `hostile` for a whiteout of what cannot be a name. */
function meaningOf(path: string, layer: string): Meaning {
  if (!path.includes(whiteoutPrefix)) return { kind: 'entry' };
  const [base, parent] = [nameOf(path), parentOf(path) ?? ''];
  const isOpaque = base === opaqueName;
  if (path.split('/').some((each) => each.startsWith(aufsPrefix) && !(isOpaque && each === base)))
    return { kind: 'ignored' };
  if (isOpaque) return { kind: 'opaque', path: parent };
  if (!base.startsWith(whiteoutPrefix)) return { kind: 'entry' };
  const removed = base.slice(whiteoutPrefix.length);
  if (['', '.', '..'].includes(removed))
    throw new Failure('hostile', `${layer}: ${JSON.stringify(path)} removes what is no name`);
  return { kind: 'whiteout', path: parent === '' ? removed : `${parent}/${removed}` };
}

/** Runs a step; when it fails, the failure names the layer. */
function named<T>(layer: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.kind, `${layer}: ${error.message}`, {
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}

/** The chunks as they pass, their bytes counted. */
async function* counted(
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    onBytes(chunk.length);
    yield chunk;
  }
}
