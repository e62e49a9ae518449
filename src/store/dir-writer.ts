import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { makeDirectory, syncDirectory, temporaryName } from '../base/files.ts';
import { type Libc, loadLibc } from '../base/libc.ts';
import { GroupCommit } from './group-commit.ts';

type Syncing = Pick<Libc, 'syncFileSystem'>;

/**
 * Writes the files of a directory store so that a name is never anything but a whole block, also after a power cut. Files
 * that are written at the same time share syncs of the whole file system: one makes the bytes of a batch durable, under
 * temporary names, and the new names of the batch before. Where the C library cannot be called each file is synced alone.
 */
export class DirWriter {
  readonly #root: string;
  readonly #libc: () => Promise<Syncing | undefined>;
  #shared: Promise<GroupCommit | undefined> | undefined;

  constructor(root: string, libc: () => Promise<Syncing | undefined> = loadLibc) {
    this.#root = root;
    this.#libc = libc;
  }

  /** Returns when the file is durable under its name. A signal stops it until the file gets its name. */
  write(path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const temporary = temporaryName(path);
    return this.#place(temporary, path, () => writeNew(temporary, bytes), signal);
  }

  /** As `write`, for bytes that are in a file under a temporary name; after an error that file is gone. */
  adopt(temporary: string, path: string, signal?: AbortSignal): Promise<void> {
    return this.#place(temporary, path, async () => {}, signal);
  }

  async #place(
    temporary: string,
    path: string,
    write: () => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#shared ??= this.#libc().then((libc) => libc && new GroupCommit(() => this.#sync(libc)));
    const commit = await this.#shared;
    const durable = (step: () => Promise<void>, syncAlone: () => Promise<void>) =>
      commit === undefined ? step().then(syncAlone) : commit.durable(step);
    try {
      await durable(write, () => syncFile(temporary));
      signal?.throwIfAborted();
      await durable(
        () => rename(temporary, path),
        () => syncDirectory(dirname(path)),
      );
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async #sync(libc: Syncing): Promise<void> {
    const root = await open(this.#root, 'r');
    try {
      await libc.syncFileSystem(root.fd);
    } finally {
      await root.close();
    }
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const file = await create(path);
  try {
    await file.writeFile(bytes);
    await file.chmod(0o644); // whatever the umask
  } finally {
    await file.close();
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o644);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    await makeDirectory(dirname(path));
    return open(path, 'wx', 0o644);
  }
}
