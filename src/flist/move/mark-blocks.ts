import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { BlockIdSet } from '../block/block-id-set.ts';
import { readManifest } from '../manifest/manifest.ts';

export interface MarkedBlocks {
  /** The manifests that were read, sorted. */
  readonly manifests: readonly string[];
  /** Every block that one of them names. */
  readonly needed: BlockIdSet;
}

/**
 * The blocks that manifests need.
 * @param paths manifests, and directories of which every `*.fl` is one, however deep; links are followed.
 * @throws Failure for a path that is not there, a directory without a manifest, and a manifest that cannot be read: what it
 * needs is not known.
 */
export async function markBlocks(paths: readonly string[]): Promise<MarkedBlocks> {
  const manifests = new Set<string>();
  for (const path of paths) for (const found of await manifestsAt(path)) manifests.add(found);
  const needed = new BlockIdSet();
  for (const path of manifests)
    for (const [, { id }] of (await readManifest(path)).blockRefs()) needed.add(id);
  return { manifests: [...manifests].sort(), needed };
}

async function manifestsAt(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new Failure('not-found', `there is no manifest or directory ${path}`, { cause });
  });
  if (!found.isDirectory()) return [await realpath(path)];
  const manifests: string[] = [];
  for await (const manifest of manifestsBelow(path, new Set())) manifests.push(manifest);
  if (manifests.length === 0)
    throw new Failure('not-found', `${path} holds no manifest`, {
      hint: 'name the directory where the .fl files are',
    });
  return manifests;
}

/** @param seen real paths of directories, so that a link to one above ends. */
async function* manifestsBelow(directory: string, seen: Set<string>): AsyncGenerator<string> {
  const real = await realpath(directory);
  if (seen.has(real)) return;
  seen.add(real);
  for (const entry of await readdir(real, { withFileTypes: true })) {
    const path = join(real, entry.name);
    const isLink = entry.isSymbolicLink();
    const isManifest = entry.name.endsWith('.fl') && !entry.name.startsWith('.');
    if (entry.isDirectory() || (isLink && (await isDirectory(path)))) yield* manifestsBelow(path, seen);
    else if (isManifest) yield isLink ? await targetOf(path) : path;
  }
}

async function isDirectory(link: string): Promise<boolean> {
  return stat(link).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function targetOf(link: string): Promise<string> {
  return realpath(link).catch((cause: unknown) => {
    throw new Failure('not-found', `${link} leads nowhere`, { cause, hint: 'remove the link, or mend it' });
  });
}
