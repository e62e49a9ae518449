import { closeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { describeError, Failure } from '../base/errors.ts';
import { FileCache } from '../cache/file-cache.ts';
import { initBlockCodec } from '../flist/block/block-codec.ts';
import type { ManifestColumns } from '../flist/manifest/manifest-columns.ts';
import { type BegunMount, raiseReadahead, unmount } from '../fuse/mount-point.ts';
import { findMount } from '../fuse/mount-table.ts';
import type { NegotiatedSession } from '../fuse/negotiate.ts';
import type { Store } from '../store/store.ts';
import { type Fetch, startFetch } from './fetch/fetch.ts';
import { asFailure } from './fuse-failure.ts';
import type { IoMode } from './io-mode.ts';
import { type KeptMount, leaveAtOnce } from './life/kept-mount.ts';
import type { MountMessage, MountWorkerData } from './messages.ts';
import type { ServingThread } from './serving-thread.ts';
import type { TraceNotes } from './trace-notes.ts';
import { FilePreparer } from './whole-files.ts';

export interface MountServerOptions {
  /** The mount to complete; undefined when `kept` has a predecessor, who did that. */
  readonly begun: BegunMount | undefined;
  readonly inodes: ManifestColumns;
  readonly store: Store;
  /** The directory of the cache; undefined when nothing is kept. */
  readonly cache: string | undefined;
  /** The file that further threads start from; see `MountFlistOptions.worker`. */
  readonly worker: URL;
  /** That serves the mount. */
  readonly thread: ServingThread;
  /** Milliseconds that the store has to answer. */
  readonly deadline: number;
  readonly io: IoMode;
  /** Where the worker notes first touches of blocks, when it shall. */
  readonly trace?: TraceNotes | undefined;
  /** See `MountFlistOptions.xattrs`. */
  readonly xattrs: boolean;
  /** What outlives this server, when something does. */
  readonly kept?: KeptMount | undefined;
  readonly log: (line: string) => void;
}

/** One connection to the kernel: the device, the worker that serves it, and what brings the blocks. */
export class MountServer {
  /** Settles when nobody uses the mount any more and everything of it is cleaned up. */
  readonly done: Promise<void>;
  readonly #options: MountServerOptions;
  /** Brings the blocks. */
  readonly fetch: Fetch;
  readonly #device: number;
  readonly #preparer: FilePreparer | undefined;
  readonly #givenUp = new Int32Array(new SharedArrayBuffer(4));
  readonly #ready = Promise.withResolvers<void>();
  readonly #started = Promise.withResolvers<NegotiatedSession>();
  /** As `/proc/mounts` shows it: a pid. */
  #source = String(process.pid);
  #mountpoint: string | undefined;
  #ended = false;
  #hasCodec = false;

  constructor(options: MountServerOptions) {
    this.#options = options;
    this.#device = (options.begun ?? options.kept!).device;
    this.fetch = startFetch({ ...options, columns: options.inodes, device: this.#device });
    const { cache } = this.fetch;
    this.#preparer = cache && new FilePreparer(options.inodes, new FileCache(cache, { warn: options.log }));
    const { thread } = options;
    const data: MountWorkerData = {
      device: this.#device,
      inodes: options.inodes,
      memory: this.fetch.memory,
      statistics: this.fetch.statistics.shared,
      cache,
      io: options.io,
      stores: this.fetch.stores.shared,
      xattrs: options.xattrs,
      trace: options.trace,
      openFiles: options.kept?.openFiles,
      requests: options.kept?.requests,
      takeOver: options.kept?.predecessor?.session,
      givenUp: this.#givenUp,
    };
    thread.begin(data, (message) => this.#receive(message));
    this.done = this.#serveUntilEnd(thread);
    // Each of these fails with the worker, and not all are awaited at that time.
    for (const promise of [this.done, this.#ready.promise, this.#started.promise]) promise.catch(() => {});
  }

  /**
   * Completes the mount, or goes on with that of a server that died, and waits until it answers. Returns the real path of the
   * directory, and what was agreed with the kernel.
   */
  async mount(): Promise<{ readonly mountpoint: string; readonly session: NegotiatedSession }> {
    const { kept, begun } = this.#options;
    let completed: ReturnType<BegunMount['complete']> | undefined;
    try {
      const keeper = kept?.startKeeper();
      if (keeper?.source === undefined) await keeper?.ready;
      this.#source = keeper?.source ?? this.#source;
      completed = kept?.predecessor ? Promise.resolve(kept.predecessor) : begun!.complete(this.#source);
      const [mount] = await Promise.all([completed, this.#ready.promise, keeper?.ready]);
      this.#mountpoint = mount.mountpoint;
      this.#source = mount.source;
      const session = await this.#started.promise;
      kept?.save({ mountpoint: this.#mountpoint, source: this.#source, session });
      // A request lets the log of requests end what nobody knows of.
      if (kept?.predecessor !== undefined && !session.features.includes('resend'))
        statfs(this.#mountpoint).catch(() => {});
      await raiseReadahead(this.#mountpoint);
      return { mountpoint: this.#mountpoint, session };
    } catch (error) {
      Atomics.store(this.#givenUp, 0, 1);
      Atomics.notify(this.#givenUp, 0);
      await this.done.catch(() => {});
      this.#mountpoint ??= (await completed?.catch(() => {}))?.mountpoint;
      if (this.#mountpoint !== undefined) await this.#takeOff(this.#mountpoint);
      throw asFailure(error);
    }
  }

  /** As `/proc/mounts` shows it: the pid of a process that stays as long as the mount. */
  get source(): string {
    return this.#source;
  }

  async unmount(): Promise<void> {
    if (this.#ended || this.#mountpoint === undefined) return;
    await this.#takeOff(this.#mountpoint);
  }

  async #serveUntilEnd(thread: ServingThread): Promise<void> {
    try {
      await thread.ended;
      this.#startFails(new Failure('failed', 'the mount ended before it answered'));
    } catch (error) {
      this.#startFails(error);
      if (this.#options.kept?.isSaved) {
        this.#options.log(describeError(error));
        leaveAtOnce();
      }
      throw error;
    } finally {
      this.#ended = true;
      this.#options.kept?.end();
      this.#preparer?.close();
      await this.fetch.scheduler.close(); // first, for a closed device may be another file soon
      closeSync(this.#device); // from here on, users of a mount that is still there get ENOTCONN
      if (this.#mountpoint !== undefined) await this.#takeOff(this.#mountpoint);
    }
  }

  /** Ends the wait for the start, if there still is one. */
  #startFails(error: unknown): void {
    this.#ready.reject(error);
    this.#started.reject(error);
  }

  async #takeOff(mountpoint: string): Promise<void> {
    if ((await findMount(mountpoint))?.source !== this.#source) return; // somebody else's, or none
    await unmount(mountpoint).catch((error) => Promise.reject(asFailure(error)));
  }

  #receive(message: MountMessage): void {
    switch (message.type) {
      case 'ready':
        this.#ready.resolve();
        break;
      case 'started':
        this.#started.resolve(message.session);
        break;
      case 'log':
        this.#options.log(message.line);
        break;
      default:
        if (this.#hasCodec) this.#fetch(message);
        else void this.#codec().then(() => this.#fetch(message)); // a mount answers before that is loaded
    }
  }

  async #codec(): Promise<void> {
    await initBlockCodec();
    this.#hasCodec = true;
  }

  #fetch(message: Exclude<MountMessage, { type: 'ready' | 'started' | 'log' }>): void {
    switch (message.type) {
      case 'read':
        this.fetch.scheduler.read(message.unique, message.row, message.offset, message.size);
        break;
      case 'interrupt':
        this.fetch.scheduler.interrupt(message.unique);
        break;
      case 'touched':
        this.fetch.scheduler.touched(message.row, message.place);
        break;
      case 'prepare':
        this.#preparer?.prepare(message.row);
    }
  }
}
