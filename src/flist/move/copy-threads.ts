import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { Failure } from '../../base/errors.ts';
import { startThread } from '../../base/small-heap.ts';
import type { BlockId } from '../../store/store.ts';

export const copyThreadRole = 'copy';

export interface CopyThreadData {
  readonly role: typeof copyThreadRole;
  /** The directories of the two stores. */
  readonly from: string;
  readonly to: string;
}

/** A block that a thread has copied and checked. */
export interface ThreadCopy {
  readonly bytes: number;
  /** The file that it lies in, for `DirectBlocks.adopt`; undefined when the store had it by then. */
  readonly temporary: string | undefined;
}

/** Copying one block costs less than a millisecond: more threads would only wait for the disk. */
const mostThreads = 4;

/** Threads that copy blocks from one directory store to another: they read, check and write by themselves. */
export class CopyThreads {
  readonly #threads: readonly CopyThread[];

  constructor(from: string, to: string) {
    const data = { role: copyThreadRole, from, to } as const;
    const length = Math.min(availableParallelism(), mostThreads);
    this.#threads = Array.from({ length }, () => new CopyThread(data));
  }

  /** Undefined for a block that cannot be copied in this way, whatever the reason. */
  copy(id: BlockId): Promise<ThreadCopy | undefined> {
    return this.#threads.reduce((a, b) => (b.waiting < a.waiting ? b : a)).copy(id);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class CopyThread {
  readonly #worker: Worker;
  readonly #answers: PromiseWithResolvers<ThreadCopy | undefined>[] = [];
  #failure: Failure | undefined;

  constructor(workerData: CopyThreadData) {
    this.#worker = startThread(new URL('./copy-thread.ts', import.meta.url), { workerData });
    this.#worker.on('message', (answer: ThreadCopy | undefined) => this.#answers.shift()!.resolve(answer));
    this.#worker.on('error', (cause) => {
      this.#failure = new Failure('failed', 'a thread that copies blocks broke down', { cause });
      for (const { reject } of this.#answers.splice(0)) reject(this.#failure);
    });
  }

  get waiting(): number {
    return this.#answers.length;
  }

  async copy(id: BlockId): Promise<ThreadCopy | undefined> {
    if (this.#failure !== undefined) throw this.#failure;
    const answer = Promise.withResolvers<ThreadCopy | undefined>();
    this.#answers.push(answer);
    this.#worker.postMessage(id);
    return answer.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
