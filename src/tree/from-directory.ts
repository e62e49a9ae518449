import type { BigIntStats } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { fileContent } from './content.ts';
import { nameHardLinks } from './hard-links.ts';
import { type DirectoryEntry, type Entry, Tree } from './tree.ts';

/**
 * The tree below a directory of this machine, as it is now. Contents stay where they are and are read when wanted.
 * Names of one inode become a hard-link group. Extended attributes are not read: Node.js has no call for them.
 * @throws Failure `not-found` when there is no such directory, `denied` when something in it may not be read,
 * `failed` when a name in it is not UTF-8.
 */
export async function treeFromDirectory(directory: string): Promise<Tree> {
  const root = await stat(directory, { bigint: true }).catch((error) => {
    throw unreadable(directory, error);
  });
  if (!root.isDirectory()) throw new Failure('not-found', `${directory} is not a directory`);
  const entries: [string, Entry][] = [['', directoryEntry(root)]];
  await collect(directory, '', entries);
  return nameHardLinks(Tree.from(entries));
}

async function collect(root: string, parent: string, entries: [string, Entry][]): Promise<void> {
  const directory = join(root, parent);
  try {
    const names = await readdir(directory, { encoding: 'buffer' });
    await Promise.all(
      names.map(async (bytes) => {
        const name = decodeName(directory, bytes);
        const path = parent === '' ? name : `${parent}/${name}`;
        const entry = await readEntry(join(root, path));
        entries.push([path, entry]);
        if (entry.kind === 'directory') await collect(root, path, entries);
      }),
    );
  } catch (error) {
    throw unreadable(directory, error);
  }
}

async function readEntry(file: string): Promise<Entry> {
  const stats = await lstat(file, { bigint: true });
  const metadata = metadataOf(stats);
  if (stats.isDirectory()) return directoryEntry(stats);
  if (stats.isSymbolicLink()) return { kind: 'symlink', ...metadata, target: await readlink(file) };
  if (stats.isFIFO()) return { kind: 'fifo', ...metadata };
  if (stats.isSocket()) return { kind: 'socket', ...metadata };
  if (stats.isCharacterDevice()) return { kind: 'character', ...metadata, ...deviceNumbers(stats.rdev) };
  if (stats.isBlockDevice()) return { kind: 'block', ...metadata, ...deviceNumbers(stats.rdev) };
  return {
    kind: 'file',
    ...metadata,
    content: fileContent(file, Number(stats.size)),
    ...(stats.nlink > 1n && { hardLink: `${stats.dev}:${stats.ino}` }),
  };
}

function directoryEntry(stats: BigIntStats): DirectoryEntry {
  return { kind: 'directory', ...metadataOf(stats) };
}

function metadataOf(stats: BigIntStats) {
  const nanoseconds = ((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return {
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtime: Number((stats.mtimeNs - nanoseconds) / 1_000_000_000n),
    ...(nanoseconds > 0n && { mtimeNs: Number(nanoseconds) }),
  };
}

/** The two halves of a `dev_t` as Linux and glibc lay it out (makedev(3), sys/sysmacros.h). */
function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

function decodeName(directory: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Failure(
      'failed',
      `${directory}: the name ${JSON.stringify(bytes.toString('latin1'))} is not UTF-8`,
    );
  }
}

function unreadable(directory: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOENT') return new Failure('not-found', `${directory} does not exist`, { cause: error });
  if (errno === 'ENOTDIR')
    return new Failure('not-found', `${directory} is not a directory`, { cause: error });
  if (errno === 'EACCES' || errno === 'EPERM')
    return new Failure('denied', `cannot read ${directory}`, { cause: error, hint: 'run as a user who may' });
  return error;
}
