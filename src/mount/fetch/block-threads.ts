import { Worker } from 'node:worker_threads';
import { describeError } from '../../base/errors.ts';
import type {
  BlockOrder,
  BlockThreadData,
  FromBlockThread,
  OrderResult,
  ToBlockThread,
} from './block-thread.ts';

/** Messages that a thread may have at one time: it works on one, and finds the next when that is done. */
const messagesPerThread = 2;

/** Milliseconds that a thread has to end what it does when the mount ends. */
const patience = 2000;

export interface BlockThreadsOptions {
  /** The file that a thread starts from; see `MountFlistOptions.worker`. */
  readonly worker: URL;
  readonly count: number;
  /** What each thread gets; its row in the statistics is this one and those after it. */
  readonly data: BlockThreadData;
  /** Orders that are done, or that a thread broke down with. There may be room again. */
  readonly onResults: (results: readonly OrderResult[]) => void;
  /** A thread is there. */
  readonly onReady: () => void;
  readonly log: (line: string) => void;
}

interface Member {
  readonly worker: Worker;
  /** The orders of each message that is not done. */
  readonly underway: (readonly BlockOrder[])[];
  isReady: boolean;
}

/** The threads of one mount that make blocks plain. */
export class BlockThreads {
  readonly #options: BlockThreadsOptions;
  readonly #members: Member[] = [];

  constructor(options: BlockThreadsOptions) {
    this.#options = options;
    for (let i = 0; i < options.count; i++) this.#start({ ...options.data, row: options.data.row + i });
  }

  /** How many threads work, or will in a moment. */
  get count(): number {
    return this.#members.length;
  }

  get isReady(): boolean {
    return this.#members.some(({ isReady }) => isReady);
  }

  /** Whether orders can be sent now. */
  get hasRoom(): boolean {
    return this.#members.some((member) => member.isReady && member.underway.length < messagesPerThread);
  }

  /** Gives orders to the thread that has least to do. */
  send(orders: readonly BlockOrder[]): void {
    const member = this.#members
      .filter(({ isReady }) => isReady)
      .reduce((least, other) => (other.underway.length < least.underway.length ? other : least));
    member.underway.push(orders);
    const message: ToBlockThread = { orders };
    member.worker.postMessage(message);
  }

  /** Lets the threads end what they do, unless that takes too long. */
  async close(): Promise<void> {
    await Promise.all(
      this.#members.splice(0).map(async ({ worker }) => {
        const gone = new Promise((resolve) => worker.once('exit', resolve));
        const timer = setTimeout(() => void worker.terminate(), patience);
        const message: ToBlockThread = { orders: undefined };
        worker.postMessage(message);
        await gone;
        clearTimeout(timer);
      }),
    );
  }

  #start(workerData: BlockThreadData): void {
    const worker = new Worker(this.#options.worker, {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 4 }, // what a block leaves behind is small and short-lived
    });
    const member: Member = { worker, underway: [], isReady: false };
    this.#members.push(member);
    worker.on('message', (message: FromBlockThread) => this.#receive(member, message));
    worker.on('error', (error) => this.#lose(member, error));
  }

  #receive(member: Member, message: FromBlockThread): void {
    switch (message.type) {
      case 'ready':
        member.isReady = true;
        this.#options.onReady();
        break;
      case 'results':
        if (message.isLast) member.underway.shift();
        this.#options.onResults(message.results);
        break;
      case 'log':
        this.#options.log(message.line);
    }
  }

  /** Others do what a thread that broke down was to do. */
  #lose(member: Member, error: unknown): void {
    const place = this.#members.indexOf(member);
    if (place < 0) return;
    this.#members.splice(place, 1);
    const message = `a thread that decodes blocks broke down: ${describeError(error)}`;
    this.#options.log(message);
    const failure = { kind: 'failed', message, hint: undefined, cause: undefined } as const;
    this.#options.onResults(member.underway.flat().map(({ slot }) => ({ slot, from: 'nowhere', failure })));
  }
}
