import { readFile } from 'node:fs/promises';
import { sha256 } from '../../base/digest.ts';
import { errnoOf, Failure } from '../../base/errors.ts';
import { readTextIfPresent, writeAtomic } from '../../base/files.ts';
import type { Depot } from '../../tree/depot.ts';
import type { Tree } from '../../tree/tree.ts';
import { readDeb } from './deb.ts';
import { debPath } from './download.ts';
import type { LockEntry } from './lock.ts';

/** Part of the name under which an unpacked tree is known; to be raised when the same .deb would give another tree. */
const unpacking = 1;

/**
 * The files of a package in a cache, unpacked into a depot the first time and known by the digest of the .deb from then on.
 * @throws Failure `not-found` when it was not downloaded, `corrupt` when the cached file is not the one of the lock.
 */
export async function packageTree(entry: LockEntry, cacheDir: string, depot: Depot): Promise<Tree> {
  const deb = debPath(cacheDir, entry);
  const index = `${deb}.tree${unpacking}`;
  const known = (await readTextIfPresent(index))?.trim();
  if (known !== undefined && /^[0-9a-f]{64}$/.test(known) && (await depot.has(known)))
    return depot.load(known);

  const { tree } = await readDeb(await cachedBytes(entry, deb), {
    keep: (content) => depot.keep(content),
    name: `${entry.name} ${entry.version}`,
  });
  const digest = await depot.save(tree);
  await writeAtomic(index, `${digest}\n`, { sync: false });
  return tree;
}

async function cachedBytes({ name, version, sha256: expected }: LockEntry, deb: string): Promise<Uint8Array> {
  const bytes = await readFile(deb).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new Failure('not-found', `the package ${name} ${version} is not in the cache`, {
      cause: error,
      hint: 'build again: it will be downloaded',
    });
  });
  if (sha256(bytes) !== expected)
    throw new Failure('corrupt', `${deb} is damaged: it is not ${name} ${version} of the lock`, {
      hint: 'delete that file and build again: it will be downloaded',
    });
  return bytes;
}
