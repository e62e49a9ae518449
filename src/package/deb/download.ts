import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { syncDirectory } from '../../base/files.ts';
import type { Apt } from './apt.ts';
import { fetchFailure } from './apt-failures.ts';
import type { Lock, LockEntry } from './lock.ts';

/** Where a cache keeps the .deb of a lock entry. */
export function debPath(cacheDir: string, { sha256 }: Pick<LockEntry, 'sha256'>): string {
  return join(cacheDir, 'deb', `${sha256}.deb`);
}

/**
 * Brings every package of a lock into a cache. Apt downloads and authenticates; a file gets its final name only when its
 * SHA-256 is the one of the lock. With all of them cached neither apt nor the network is asked.
 * @throws Failure `unavailable` without network, `not-found` when the archive no longer has a version, `corrupt` when
 * the bytes are not those of the lock.
 */
export async function downloadPackages(apt: Apt, lock: Lock, cacheDir: string): Promise<void> {
  const missing = await missingFrom(cacheDir, lock);
  if (missing.length === 0) return;
  const cache = join(cacheDir, 'deb');
  await mkdir(cache, { recursive: true });
  const incoming = await mkdtemp(join(cache, '.incoming-'));
  try {
    await fetchInto(incoming, apt, missing);
    await adopt(incoming, missing, cacheDir);
    await syncDirectory(cache);
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

async function missingFrom(cacheDir: string, lock: Lock): Promise<LockEntry[]> {
  const sizes = await Promise.all(
    lock.map((entry) =>
      stat(debPath(cacheDir, entry)).then(
        ({ size }) => size,
        () => undefined,
      ),
    ),
  );
  return lock.filter((entry, index) => sizes[index] !== entry.size);
}

async function fetchInto(directory: string, apt: Apt, missing: Lock): Promise<void> {
  await apt.update();
  const specs = missing.map(({ name, version }) => `${name}=${version}`);
  const result = await apt.run('apt-get', ['-q', 'download', ...specs], { cwd: directory, task: 'packages' });
  if (result.code === 0) return;
  const gone = /^E: (?:Version '(.*)' for '(.*)' was not found|Unable to locate package (\S+))$/m.exec(
    result.stderr,
  );
  if (!gone) throw fetchFailure('cannot fetch the packages', result);
  throw new Failure('not-found', `the archive no longer has ${gone[3] ?? `${gone[2]} ${gone[1]}`}`, {
    hint: 'update the package lists and resolve again',
  });
}

/** Moves what was downloaded to its final names, each file known by its bytes. */
async function adopt(incoming: string, expected: Lock, cacheDir: string): Promise<void> {
  const wanted = new Map(expected.map((entry) => [entry.sha256, entry]));
  for (const file of await readdir(incoming)) {
    const path = join(incoming, file);
    const entry = wanted.get(await fileDigest(path));
    if (!entry) continue;
    await rename(path, debPath(cacheDir, entry));
    wanted.delete(entry.sha256);
  }
  for (const { name, version, sha256 } of wanted.values())
    throw new Failure(
      'corrupt',
      `${name} ${version} from the archive does not have the SHA-256 ${sha256} of the lock`,
      {
        hint: 'update the package lists and resolve again',
      },
    );
}

async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
    hash.update(chunk);
  return hash.digest('hex');
}
