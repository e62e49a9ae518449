import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { Failure } from '../base/errors.ts';
import { startThread } from '../base/small-heap.ts';
import { type MountMessage, type MountWorkerData, mountWorkerRole } from './messages.ts';

/**
 * The thread that serves a mount. It may be started before anything is known of the mount: a thread takes as long to start as
 * the rest of a mount takes, and both go on at the same time.
 */
export class ServingThread {
  static #prepared: ServingThread | undefined;

  /** Starts a thread that the next `take` will get. It does not keep the process alive before. */
  static prepare(): void {
    ServingThread.#prepared = new ServingThread();
    ServingThread.#prepared.#worker.unref();
  }

  /** A thread, the prepared one if there is one. */
  static take(): ServingThread {
    const thread = ServingThread.#prepared ?? new ServingThread();
    ServingThread.#prepared = undefined;
    thread.#worker.ref();
    return thread;
  }

  /** Settles with the end of the thread. @throws Failure when it broke down */
  readonly ended: Promise<void>;
  readonly #worker: Worker;

  /** @param file see `MountFlistOptions.worker` */
  constructor(file: URL = new URL('./worker.ts', import.meta.url)) {
    this.#worker = startThread(file, {
      workerData: { role: mountWorkerRole },
      resourceLimits: { maxYoungGenerationSizeMb: 4 }, // what a request leaves behind is small and short-lived
    });
    this.ended = once(this.#worker, 'exit').then(
      () => {},
      (cause) => Promise.reject(new Failure('failed', 'the server of the mount broke down', { cause })),
    );
    this.ended.catch(() => {}); // whoever waits for the mount hears of it
  }

  /** Says what to serve. */
  begin(data: MountWorkerData, onMessage: (message: MountMessage) => void): void {
    this.#worker.on('message', onMessage);
    this.#worker.postMessage(data);
  }

  /** Ends a thread that has not begun; fine when it has ended. */
  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
