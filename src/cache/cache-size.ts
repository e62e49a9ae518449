import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { parseBytes } from '../base/units.ts';

/**
 * Reads how large a cache may be, in bytes: `500MB`, `20GiB`, or a share of the file system that it is on, `20%`.
 * @throws Failure `usage`
 */
export function parseCacheSize(text: string, directory: string): number {
  const [, share] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text) ?? [];
  if (share !== undefined && Number(share) <= 100)
    return Math.floor((Number(share) / 100) * diskSize(directory));
  try {
    return parseBytes(text);
  } catch (cause) {
    throw new Failure('usage', `${JSON.stringify(text)} is no size of a cache`, {
      cause,
      hint: 'write a number of bytes, 500MB or 20GiB, or a share of the disk, 20%',
    });
  }
}

/** Bytes of the file system on which a directory is, or will be. */
function diskSize(directory: string): number {
  try {
    const { bsize, blocks } = statfsSync(directory);
    return bsize * blocks;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(directory) === directory) throw error;
    return diskSize(dirname(directory));
  }
}
