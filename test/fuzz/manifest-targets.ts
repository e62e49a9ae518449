import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../src/base/errors.ts';
import { diffEntries } from '../../src/flist/diff.ts';
import { dumpLines } from '../../src/flist/dump.ts';
import { writeDump } from '../../src/flist/from-dump.ts';
import { formatEntry, inspectEntries } from '../../src/flist/inspect.ts';
import { type Manifest, readManifest, writeManifest } from '../../src/flist/manifest.ts';
import { treeOfManifest } from '../../src/flist/manifest-tree.ts';
import { usageByDirectory } from '../../src/flist/usage.ts';
import { mutateRows } from './mutate-rows.ts';
import type { Target } from './target.ts';

const noBlocks = async () => {
  throw new Failure('not-found', 'there are no blocks');
};

/** The bytes of an `.fl` file. */
export const manifestBytes: Target = {
  name: 'manifests',
  corpus: 'manifests',
  share: 4,
  run: (bytes, _random, directory) => inDirectory(directory, async (file) => read(bytes, file)),
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
      await use(await readManifest(file), file);
    }),
};

/** The text of `rfs dump`. */
export const dumps: Target = {
  name: 'dumps',
  corpus: 'dumps',
  run: (bytes, _random, directory) =>
    inDirectory(directory, async (file) => {
      await writeDump(lines(bytes.toString()), 'the dump', file);
      await use(await readManifest(file), file);
    }),
};

async function read(bytes: Buffer, file: string): Promise<void> {
  await writeFile(file, bytes);
  await use(await readManifest(file), file);
}

/** Does with a manifest that was taken for good what commands do, and writes it and reads it back. */
async function use(manifest: Manifest, file: string): Promise<void> {
  for (const entry of inspectEntries(manifest)) formatEntry(entry);
  treeOfManifest(manifest, noBlocks);
  usageByDirectory(manifest, 2);
  for (const change of diffEntries(manifest, manifest))
    throw new Error(`it differs from itself: ${JSON.stringify(change)}`);
  await writeManifest(`${file}.copy`, manifest);
  const [before, after] = [manifest, await readManifest(`${file}.copy`)].map((each) => [...dumpLines(each)]);
  if (before!.join('\n') !== after!.join('\n'))
    throw new Error('it is not the same when it was written and read');
}

/** A new directory for one case, in which nothing else may appear than the case and its copy. */
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
