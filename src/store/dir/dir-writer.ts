import { closeSync, openSync, renameSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import { makeDirectory, syncDirectory, temporaryName } from '../../base/files.ts';
import { type Libc, loadLibc } from '../../base/libc.ts';
import { GroupCommit } from './group-commit.ts';

type Syncing = Pick<Libc, 'syncFileSystem'>;

/** A file that is whole under a temporary name, and the name that it gets. */
export interface WrittenFile {
  readonly temporary: string;
  readonly path: string;
}

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
    return this.#place([{ temporary, path }], () => writeNew(temporary, bytes), signal);
  }

  /** As `write`, for bytes that are in files under temporary names; after an error those files are gone. */
  adopt(files: readonly WrittenFile[]): Promise<void> {
    return this.#place(files, async () => {}, undefined);
  }

  async #place(
    files: readonly WrittenFile[],
    write: () => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#shared ??= this.#libc().then((libc) => libc && new GroupCommit(() => this.#sync(libc)));
    const commit = await this.#shared;
    const durable = (step: () => Promise<void>, syncAlone: () => Promise<void>) =>
      commit === undefined ? step().then(syncAlone) : commit.durable(step);
    try {
      await durable(write, () => eachOf(files, ({ temporary }) => syncFile(temporary)));
      signal?.throwIfAborted();
      await durable(
        async () => {
          // Without a promise for each: a pack gives thousands of files their names.
          for (const { temporary, path } of files) renameSync(temporary, path);
        },
        () => eachOf(new Set(files.map(({ path }) => dirname(path))), syncDirectory),
      );
    } catch (error) {
      await eachOf(files, ({ temporary }) => rm(temporary, { force: true }));
      throw error;
    }
  }

  async #sync(libc: Syncing): Promise<void> {
    const root = openSync(this.#root, 'r');
    try {
      await libc.syncFileSystem(root);
    } finally {
      closeSync(root);
    }
  }
}

async function eachOf<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  for (const item of items) await work(item);
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
