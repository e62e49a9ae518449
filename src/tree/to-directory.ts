import { constants, linkSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { errnoOf, Failure } from '../base/errors.ts';
import type { Content } from './content.ts';
import { describeLoss, type Place, placeBelow, Restorer } from './restore.ts';
import type { FileEntry, Tree } from './tree.ts';

export interface ToDirectoryOptions {
  /** Set owners; by default when this process is root. Otherwise everything is the caller's. */
  readonly privileged?: boolean;
}

/**
 * Writes a tree into a new or empty directory: exact modes whatever the umask, times to the nanosecond, links, extended attributes,
 * special files. On failure the directory is left empty.
 * @throws Failure `conflict` when the directory has entries or is none, `denied` for what this user or system cannot make
 * or keep.
 */
export async function writeTreeToDirectory(
  tree: Tree,
  directory: string,
  { privileged = process.geteuid?.() === 0 }: ToDirectoryOptions = {},
): Promise<void> {
  await prepareDirectory(directory);
  let at = '';
  const restorer = await Restorer.create(privileged, (loss) => {
    throw new Failure('denied', describeLoss(at, loss), {
      hint: 'run as root, on a file system that can hold it, or leave it out of the tree',
    });
  });
  try {
    const firsts = new Map<string, Place>();
    for (const [path, entry] of tree) {
      if (path === '') continue;
      at = path;
      const place = placeBelow(directory, path);
      if (entry.kind === 'directory') {
        await mkdir(place, 0o700);
      } else if (entry.kind === 'file') {
        const first = entry.hardLink === undefined ? undefined : firsts.get(entry.hardLink);
        if (first !== undefined) linkSync(first, place);
        else await writeFile(place, entry, restorer);
        if (entry.hardLink !== undefined && first === undefined) firsts.set(entry.hardLink, place);
      } else {
        restorer.make(place, entry);
        restorer.finish(place, entry);
      }
    }
    // From the bottom up, because writing into a directory changes its time and may need its mode.
    for (const [path, entry] of [...tree].reverse())
      if (entry.kind === 'directory') restorer.finish(placeBelow(directory, path), entry);
  } catch (error) {
    for (const name of await readdir(directory, { encoding: 'buffer' }))
      await rm(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
    throw error;
  }
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

async function writeFile(place: Place, entry: FileEntry, restorer: Restorer): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await writeContent(handle, entry.content);
    restorer.finish(place, entry, handle.fd);
  } finally {
    await handle.close();
  }
}

async function writeContent(handle: FileHandle, content: Content): Promise<void> {
  for await (const chunk of content.chunks()) await handle.writeFile(chunk);
}
