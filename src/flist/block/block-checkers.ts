import { Failure } from '../../base/errors.ts';
import { startThread } from '../../base/small-heap.ts';
import type { BlockState } from './block-check.ts';
import type { BlockRef } from './block-codec.ts';

export const blockCheckRole = 'block-check';

/** What a thread is asked. It answers with a `BlockState`, in the order of the requests. */
export interface CheckRequest {
  readonly blob: Uint8Array;
  readonly ref: BlockRef;
  readonly size: number;
}

/** Threads that decode and check stored blocks. */
export class BlockCheckers {
  readonly #threads: readonly CheckThread[];

  constructor(threads: number) {
    this.#threads = Array.from({ length: threads }, () => new CheckThread());
  }

  check(request: CheckRequest): Promise<BlockState> {
    return this.#threads.reduce((a, b) => (b.waiting < a.waiting ? b : a)).check(request);
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

class CheckThread {
  readonly #worker = startThread(new URL('./block-check-worker.ts', import.meta.url), {
    workerData: { role: blockCheckRole },
  });
  readonly #answers: PromiseWithResolvers<BlockState>[] = [];
  #failure: Failure | undefined;

  constructor() {
    this.#worker.on('message', (state: BlockState) => this.#answers.shift()!.resolve(state));
    this.#worker.on('error', (cause) => {
      this.#failure = new Failure('failed', 'a thread that checks blocks broke down', { cause });
      for (const { reject } of this.#answers.splice(0)) reject(this.#failure);
    });
  }

  get waiting(): number {
    return this.#answers.length;
  }

  async check(request: CheckRequest): Promise<BlockState> {
    if (this.#failure !== undefined) throw this.#failure;
    const answer = Promise.withResolvers<BlockState>();
    this.#answers.push(answer);
    this.#worker.postMessage(request);
    return answer.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
