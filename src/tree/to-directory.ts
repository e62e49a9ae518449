import { constants } from 'node:fs';
import { chmod, lchown, link, lstat, lutimes, mkdir, open, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import type { Content } from './content.ts';
import type { Entry, Tree } from './tree.ts';

export interface ToDirectoryOptions {
  /** Set owners and make device nodes; by default when this process is root. Otherwise everything is the caller's. */
  readonly privileged?: boolean;
}

/**
 * Writes a tree into a new or empty directory: exact modes whatever the umask, times (to the microsecond), links.
 * On failure the directory is left empty. Extended attributes are not written: Node.js has no call for them.
 * @throws Failure `conflict` when the directory has entries or is none, `denied` for device nodes without privilege,
 * `failed` for sockets, which only a program that listens can make.
 */
export async function writeTreeToDirectory(
  tree: Tree,
  directory: string,
  { privileged = process.geteuid?.() === 0 }: ToDirectoryOptions = {},
): Promise<void> {
  for (const [path, entry] of tree) checkWritable(path, entry, privileged);
  await prepareDirectory(directory);
  try {
    const linkTargets = new Map<string, string>();
    for (const [path, entry] of tree) {
      const file = join(directory, path);
      if (path === '') continue;
      if (entry.kind === 'directory') {
        await mkdir(file, 0o700);
      } else if (entry.kind === 'file' && linkTargets.has(entry.hardLink ?? '')) {
        await link(linkTargets.get(entry.hardLink!)!, file);
      } else {
        await writeEntry(file, entry);
        await applyMetadata(file, entry, privileged);
        if (entry.kind === 'file' && entry.hardLink !== undefined) linkTargets.set(entry.hardLink, file);
      }
    }
    // From the bottom up, because writing into a directory changes its time and may need its mode.
    for (const [path, entry] of [...tree].reverse())
      if (entry.kind === 'directory') await applyMetadata(join(directory, path), entry, privileged);
  } catch (error) {
    for (const name of await readdir(directory))
      await rm(join(directory, name), { recursive: true, force: true });
    throw error;
  }
}

function checkWritable(path: string, entry: Entry, privileged: boolean): void {
  if (entry.kind === 'socket')
    throw new Failure('failed', `${path} is a socket, which cannot be written`, {
      hint: 'leave it out of the tree',
    });
  if ((entry.kind === 'character' || entry.kind === 'block') && !privileged)
    throw new Failure('denied', `${path} is a device node, which only root can make`, {
      hint: 'run as root',
    });
}

/** Makes the directory, or accepts an empty one. A symbolic link is neither. */
async function prepareDirectory(directory: string): Promise<void> {
  const present = await lstat(directory).catch((error) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (present === undefined) return void (await mkdir(directory, { recursive: true, mode: 0o700 }));
  if (!present.isDirectory()) throw new Failure('conflict', `${directory} is not a directory`);
  if ((await readdir(directory)).length > 0)
    throw new Failure('conflict', `${directory} is not empty`, { hint: 'name a new or an empty directory' });
}

type Leaf = Exclude<Entry, { kind: 'directory' }>;

async function writeEntry(file: string, entry: Leaf): Promise<void> {
  switch (entry.kind) {
    case 'file':
      return writeContent(file, entry.content);
    case 'symlink':
      return symlink(entry.target, file);
    case 'character':
    case 'block': {
      const type = entry.kind === 'character' ? 'c' : 'b';
      await run('mknod', ['--', file, type, `${entry.major}`, `${entry.minor}`], { package: 'coreutils' });
      return;
    }
    default:
      await run('mkfifo', ['--', file], { package: 'coreutils' });
  }
}

async function writeContent(file: string, content: Content): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    for await (const chunk of content.chunks()) await handle.writeFile(chunk);
  } finally {
    await handle.close();
  }
}

/** Owner before mode, since a new owner clears setuid; the time last, since the others may change it. */
async function applyMetadata(file: string, entry: Entry, privileged: boolean): Promise<void> {
  if (privileged) await lchown(file, entry.uid, entry.gid);
  if (entry.kind !== 'symlink') await chmod(file, entry.mode);
  const mtime = `${entry.mtime + (entry.mtimeNs ?? 0) / 1e9}`; // as a number Node takes a negative time for now
  await lutimes(file, mtime, mtime);
}
