import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './errors.ts';

/** The name under which `path` is written before it is whole: in the same directory, so that rename is atomic. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`);
}

export interface AtomicWriteOptions {
  /** Permission bits of the new file; 0o644 whatever the umask. */
  readonly mode?: number;
  /** Whether data and name reach the disk before this returns; true unless losing the file at a power cut is harmless. */
  readonly sync?: boolean;
}

/** Writes a file so that its name never shows anything but the old or the whole new content. Makes the directory. */
export async function writeAtomic(
  path: string,
  data: Uint8Array | string | AsyncIterable<Uint8Array>,
  { mode = 0o644, sync = true }: AtomicWriteOptions = {},
): Promise<void> {
  await makeDirectory(dirname(path));
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data);
      else for await (const chunk of data) await file.writeFile(chunk);
      await file.chmod(mode);
      if (sync) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (sync) await syncDirectory(dirname(path));
}

/**
 * Makes a directory and those above it; fine when it is there. Node's own way of doing so never returns where the system
 * answers "no such file" to every new name, as below /proc.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const isThere = errnoOf(error) === 'EEXIST' && (await stat(path)).isDirectory();
    if (isThere) return;
    if (errnoOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await mkdir(path).catch((again: unknown) => {
      if (errnoOf(again) !== 'EEXIST') throw again;
    });
  }
}

/** Makes names that were created in or moved into a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The whole file as text, or undefined when there is none. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
