import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf } from '../base/errors.ts';

/** A regular file that was opened for reading, as it was then: a new file under its name does not change it. */
export interface RegularFile {
  readonly handle: FileHandle;
  readonly size: number;
  readonly inode: bigint;
  readonly mtimeNs: bigint;
}

/** Opens a regular file; undefined when there is none under that name: nothing, a directory, a symbolic link, a device. */
export async function openRegularFile(path: string): Promise<RegularFile | undefined> {
  let handle: FileHandle;
  try {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
  try {
    const stat = await handle.stat({ bigint: true });
    if (stat.isFile()) return { handle, size: Number(stat.size), inode: stat.ino, mtimeNs: stat.mtimeNs };
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}
