import { stat } from 'node:fs/promises';
import { Failure } from '../base/errors.ts';
import type { Route } from '../store/route.ts';
import type { Store } from '../store/store.ts';
import { depthFirst } from '../tree/depth-first.ts';
import type { Entry, Tree } from '../tree/tree.ts';
import type { StoredCounts } from './pack/block-sink.ts';
import { type PackEntry, PackPipeline } from './pack/pipeline.ts';
import type { Previous } from './pack/previous.ts';
import { PackProblems } from './pack/problems.ts';
import { type PackCounts, PackProgress } from './pack/progress.ts';
import { PackRows } from './pack/rows.ts';
import type { SourceRoot } from './pack/source-root.ts';
import type { PackSource } from './pack-source.ts';

export interface PackOptions {
  /** The path of the `.fl` file. */
  readonly manifest: string;
  /** Where the blocks go. */
  readonly store: Store;
  /** Where the manifest says that the blocks are; `routeUrl` makes their addresses. */
  readonly routes: readonly Route[];
  readonly tags?: ReadonlyMap<string, string>;
  /** The `.fl` file of an earlier pack: files that it has, and that nobody has touched since, are not read. */
  readonly previous?: string;
  /** Look for every block of those files in the store, and not only for some of them. */
  readonly checkPrevious?: boolean;
  /** Read and count, but store and publish nothing. */
  readonly dryRun?: boolean;
  /** What is at a path of the source now: a file that changed while it was read is read again. */
  readonly again?: ((path: string) => Entry | undefined) | undefined;
  /**
   * Reads the extended attributes of what is at a path of the source now, where entries come without them. Only a pack that can do
   * that can be the `previous` of another one.
   */
  readonly xattrs?: ((path: string) => Entry['xattrs']) | undefined;
  /** The directory that is packed; only one can be the `previous` of another pack. */
  readonly root?: SourceRoot | undefined;
  /** Problems that the source finds on its way. */
  readonly problems?: PackProblems | undefined;
  /** Blocks on their way into the store at one time, each of up to 512 KiB; 32 by default. */
  readonly concurrency?: number;
  /** Threads that read and encode; one a core by default. */
  readonly threads?: number;
  /** Called with the counts so far, some times a second and more. */
  readonly onProgress?: (counts: PackCounts) => void;
  /** Hears of what people may want to know. */
  readonly note?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface PackSummary extends Readonly<StoredCounts> {
  /** Regular files in the manifest. */
  readonly files: number;
  /** Plain bytes of all files; a file with several names counts once. */
  readonly bytes: number;
  /** Blocks of all files; equal ones count each time. */
  readonly blocks: number;
  /** Files that were not read, since the previous manifest has them, and their bytes. */
  readonly unchangedFiles: number;
  readonly unchangedBytes: number;
  /** Whether the manifest is the previous one, byte for byte. */
  readonly isUnchanged: boolean;
}

/** Entries as they come: depth first, the root as `''`. */
export type Entries = AsyncIterable<PackEntry> | Iterable<PackEntry>;

/** A pack began a little earlier than its clock says: file times come from a clock that ticks every few milliseconds. */
const clockTick = 10;

/** Bytes of a previous manifest that takes longer to read than a thread takes to begin. */
const largeManifest = 1 << 20;

/**
 * Packs entries that come depth first, the root first: their contents as blocks into the store, everything else into a
 * manifest, which gets its name when every block is in its place. Files are read and encoded in parallel, equal blocks once;
 * the same entries give the same bytes, however many threads there are. Memory is bounded, whatever comes.
 * @throws Failure of the store; for files that cannot be read or keep changing, after all others are stored; or for a name
 * that a manifest cannot hold. The former manifest stays then.
 */
export async function packEntries(entries: Entries, options: PackOptions): Promise<PackSummary> {
  return packBatches(Symbol.asyncIterator in entries ? each(entries) : [entries], options);
}

async function* each(entries: AsyncIterable<PackEntry>): AsyncGenerator<Iterable<PackEntry>> {
  for await (const entry of entries) yield [entry];
}

async function packBatches(
  batches: AsyncIterable<Iterable<PackEntry>> | Iterable<Iterable<PackEntry>>,
  options: PackOptions,
): Promise<PackSummary> {
  const { manifest: path, store, routes, tags = new Map(), dryRun = false } = options;
  const began = new Date(Date.now() - clockTick);
  if (!store.capabilities.write && !dryRun)
    throw new Failure('denied', `${store.address} cannot keep blocks`, {
      hint: 'pack into a store that can be written, for example dir:///srv/blocks',
    });
  const previous = await openPrevious(options);
  const before = previous && { path: options.previous!, previous };
  const rows = dryRun ? undefined : new PackRows(path, before);
  const problems = options.problems ?? new PackProblems();
  const progress = new PackProgress(options.onProgress);
  const { again, xattrs, concurrency = 32, threads, signal } = options;
  const pipeline = new PackPipeline({
    ...{ store, rows, previous, problems, progress, again, xattrs, concurrency, threads, signal },
  });
  try {
    await pipeline.run(batches);
    problems.throwIfAny();
    const origin = xattrs && { began, root: options.root };
    const isUnchanged = (await rows?.finish({ tags, routes }, origin)) ?? false;
    const { files, bytes, blocks, unchangedFiles, unchangedBytes } = progress.counts;
    return { files, bytes, blocks, ...pipeline.stored, unchangedFiles, unchangedBytes, isUnchanged };
  } catch (error) {
    await rows?.abandon();
    throw error;
  }
}

async function openPrevious({
  previous: path,
  checkPrevious = false,
  store,
  root,
  note = () => {},
}: PackOptions): Promise<Previous | undefined> {
  if (path === undefined) return undefined;
  // Loaded here and not above: reading manifests is no part of a first pack.
  const previous = await (await import('./pack/previous.ts')).Previous.read(path, root);
  if (!previous.hasBeginning)
    note(`${path} does not say when it was packed (its times were not kept): every file is read`);
  else if (!previous.isOfSource)
    note(`${path} may have been packed of another directory: every file is read`);
  else await previous.checkBlocks(store, { all: checkPrevious });
  return previous;
}

/** `packEntries` of a tree. */
export function packTree(tree: Tree, options: PackOptions): Promise<PackSummary> {
  return packEntries(depthFirst(tree), options);
}

/** `packEntries` of a source, which stays open. While a large previous manifest is read, the walk goes ahead. */
export async function packSource(source: PackSource, options: PackOptions): Promise<PackSummary> {
  const { again, xattrs, root, problems } = source;
  const whole = { ...options, again, xattrs, root, problems };
  const ahead = (await isLarge(options.previous)) ? source.entriesAhead?.() : undefined;
  if (ahead === undefined) return packEntries(source.entries(), whole);
  try {
    return await packBatches(ahead.batches(), whole);
  } finally {
    await ahead.close();
  }
}

async function isLarge(manifest: string | undefined): Promise<boolean> {
  if (manifest === undefined) return false;
  return stat(manifest).then(
    ({ size }) => size >= largeManifest,
    () => false,
  );
}
