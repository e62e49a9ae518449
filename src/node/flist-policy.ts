import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import type { Manifest } from '../flist/manifest/manifest.ts';

/**
 * Why a flist must not lie over `/lib/modules/<release>`: it was packed for another kernel (its tag `kernel-release`), or
 * has no `modules.dep`, so that nothing in it would be found. Undefined when it may. A flist without the tag, as rfs packs
 * them, is trusted by its name; the kernel still checks each module.
 */
export function refusalOfModules(manifest: Manifest, release: string): string | undefined {
  const tag = manifest.tags.get('kernel-release');
  if (tag !== undefined && tag !== release)
    return `it was packed for kernel ${tag}, and this node runs ${release}`;
  return manifest.find('modules.dep')
    ? undefined
    : 'it has no modules.dep at its top, so modprobe would find nothing';
}

/**
 * Why a flist must not lie over `/lib/firmware`: it lacks files that the image has there, and a driver that needs one again
 * (the network card that serves the flist, after a reset) would fail. Undefined when it may.
 * @param own paths below `/lib/firmware` of the image
 */
export function refusalOfFirmware(manifest: Manifest, own: readonly string[]): string | undefined {
  const lost = own.filter((path) => manifest.find(path) === undefined);
  if (lost.length === 0) return undefined;
  const shown = lost.slice(0, 3).join(', ');
  return `it lacks ${lost.length} of the ${own.length} files that the image has in /lib/firmware: ${shown}${lost.length > 3 ? ', …' : ''}`;
}

/** Everything but directories below a directory, as sorted relative paths; nothing when there is no such directory. */
export async function filesBelow(directory: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort(compareBytes);
}
