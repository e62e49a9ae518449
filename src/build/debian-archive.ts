import { join } from 'node:path';
import { Apt } from '../package/deb/apt.ts';
import { type AptSource, readHostArchive, sourcesFor } from '../package/deb/apt-sources.ts';
import { downloadPackages } from '../package/deb/download.ts';
import type { Lock, LockEntry } from '../package/deb/lock.ts';
import { packageTree } from '../package/deb/package-tree.ts';
import type { Tree } from '../tree/tree.ts';
import type { RecipeValues } from './recipe.ts';
import { type Input, type StageAccess, value } from './stage.ts';

/** Debian's archive as a stage sees it: the suite, and where this host gets it. */
export interface ArchiveInput {
  readonly suite: string;
  readonly architecture: string;
  readonly sources: readonly AptSource[];
}

/** The archive of a recipe as the host's own apt reaches it, as an input: another mirror or suite is another input. */
export async function archiveInput({ suite, components, architecture }: RecipeValues): Promise<Input> {
  const host = await readHostArchive();
  const name = suite === 'host' ? host.suite : suite;
  return value({
    suite: name,
    architecture,
    sources: sourcesFor(host, { suite: name, components }),
  } satisfies ArchiveInput);
}

/** A private apt on that archive, with lists and caches that later builds use too. */
export function openApt(
  { sources, architecture }: ArchiveInput,
  { cache, reporter }: StageAccess,
): Promise<Apt> {
  return Apt.open({
    directory: join(cache, 'apt'),
    sources,
    architecture,
    onProgress: (text) => reporter.status(text),
  });
}

/**
 * Downloads the packages of a lock that the cache does not have.
 * @returns how to get the tree of a package of the lock; unpacked once and kept in the depot
 */
export async function fetchPackages(
  lock: Lock,
  archive: ArchiveInput,
  access: StageAccess,
): Promise<(entry: LockEntry) => Promise<Tree>> {
  await downloadPackages(await openApt(archive, access), lock, access.cache);
  return (entry) => packageTree(entry, access.cache, access.depot);
}
