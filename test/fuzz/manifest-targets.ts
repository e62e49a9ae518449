import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../src/base/errors.ts';
import { run } from '../../src/base/exec.ts';
import { diffEntries } from '../../src/flist/diff.ts';
import { dumpLines } from '../../src/flist/dump.ts';
import { writeDump } from '../../src/flist/from-dump.ts';
import { formatEntry, inspectEntries } from '../../src/flist/inspect.ts';
import { type Manifest, manifestOf, readManifest, writeManifest } from '../../src/flist/manifest/manifest.ts';
import { treeOfManifest } from '../../src/flist/manifest/manifest-tree.ts';
import { checkPrefetchList } from '../../src/flist/manifest/prefetch-list.ts';
import { sampleRows } from '../../src/flist/manifest/test-manifest.ts';
import { keeps, TraceFold } from '../../src/flist/trace/trace-fold.ts';
import { readTrace } from '../../src/flist/trace/trace-lines.ts';
import { unpackManifest } from '../../src/flist/unpack/unpack.ts';
import { usageByDirectory } from '../../src/flist/usage.ts';
import { mutateRows } from './mutate-rows.ts';
import type { Random } from './random.ts';
import type { Target } from './target.ts';

const noBlocks = async () => {
  throw new Failure('not-found', 'there are no blocks');
};

/** The bytes of an `.fl` file. */
export const manifestBytes: Target = {
  name: 'manifests',
  corpus: 'manifests',
  share: 4,
  run: (bytes, random, directory) =>
    inDirectory(directory, async (file) => {
      await writeFile(file, bytes);
      await use(await readManifest(file), file, random);
    }),
};

/** An `.fl` file whose rows somebody changed. */
export const manifestRows: Target = {
  name: 'rows of manifests',
  corpus: 'manifests',
  share: 4,
  isMutatedByItself: true,
  run: (bytes, random, directory) =>
    inDirectory(directory, async (file) => {
      await writeFile(file, bytes);
      mutateRows(file, random);
      await use(await readManifest(file), file, random);
    }),
};

/** The text of `rfs dump`. */
export const dumps: Target = {
  name: 'dumps',
  corpus: 'dumps',
  run: (bytes, random, directory) =>
    inDirectory(directory, async (file) => {
      await writeDump(lines(bytes.toString()), 'the dump', file);
      await use(await readManifest(file), file, random);
    }),
};

/** What `rfs mount --trace` writes. */
export const traces: Target = {
  name: 'traces',
  corpus: 'traces',
  run: async (bytes) => {
    const manifest = manifestOf(sampleRows());
    const fold = new TraceFold(manifest.columns);
    let mount = '';
    async function* chunks() {
      yield bytes;
    }
    for await (const record of readTrace(chunks(), 'the trace')) {
      if ('trace' in record) mount = record.mounted;
      else if ('path' in record) fold.take(mount, record);
    }
    for (const keep of keeps) checkPrefetchList(manifest.with(fold.finish(keep)).columns);
  },
};

/** Does with a manifest that was taken for good what commands do, and writes it and reads it back. */
async function use(manifest: Manifest, file: string, random: Random): Promise<void> {
  for (const entry of inspectEntries(manifest)) formatEntry(entry);
  treeOfManifest(manifest, noBlocks);
  usageByDirectory(manifest, 2);
  await unpack(manifest, `${file}.target`, random);
  for (const change of diffEntries(manifest, manifest))
    throw new Error(`it differs from itself: ${JSON.stringify(change)}`);
  await writeManifest(`${file}.copy`, manifest);
  const [before, after] = [manifest, await readManifest(`${file}.copy`)].map((each) => [...dumpLines(each)]);
  if (before!.join('\n') !== after!.join('\n'))
    throw new Error('it is not the same when it was written and read');
}

/** Writes what it can of a tree whose blocks are nowhere. What else it touches is seen by `inDirectory`. */
async function unpack(manifest: Manifest, target: string, random: Random): Promise<void> {
  const isRoot = process.geteuid!() === 0;
  const preserveOwnership = isRoot && random.below(2) === 0;
  try {
    await unpackManifest(manifest, { directory: target, blocks: [], threads: 0, preserveOwnership });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  // Directories without rights keep those who are not root from removing what is in them.
  if (!isRoot && existsSync(target)) await run('chmod', ['-R', 'u+rwx', target]);
  await rm(target, { recursive: true, force: true });
}

/** A new directory for one case, in which nothing else may be left than the case and its copy. */
async function inDirectory(parent: string, use: (file: string) => Promise<void>): Promise<void> {
  const directory = join(parent, 'case');
  await mkdir(directory);
  const [outcome] = await Promise.allSettled([use(join(directory, 'case.fl'))]);
  const left = await readdir(directory);
  await rm(directory, { recursive: true });
  const others = left.filter((name) => name !== 'case.fl' && name !== 'case.fl.copy');
  if (others.length > 0) throw new Error(`it leaves ${others.join(', ')} behind`);
  if (outcome.status === 'rejected') throw outcome.reason;
}

async function* lines(text: string): AsyncGenerator<string> {
  yield* text.replace(/\n$/, '').split('\n');
}
