import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { Failure } from '../base/errors.ts';
import { receivedFailure, type SentFailure } from '../base/sent-failure.ts';
import { startThread } from '../base/small-heap.ts';
import { DirectReader } from '../store/dir/direct-reader.ts';
import { type BlockState, blockStates, checkBlock } from './block/block-check.ts';
import { initBlockCodec } from './block/block-codec.ts';
import { blockAt, type ManifestColumns } from './manifest/manifest-columns.ts';
import type { PlacedBlock } from './placed-blocks.ts';

export const directoryCheckRole = 'directory-check';

/** What a thread that checks a directory store is started with. */
export interface DirectoryCheckData extends Pick<ManifestColumns, 'blockRefs'> {
  readonly role: typeof directoryCheckRole;
  readonly root: string;
}

/** Blocks that one thread checks at one time. */
export interface DirectoryCheckJob {
  /** Their places in `blockRefs`. */
  readonly places: Uint32Array;
  /** Plain bytes of each. */
  readonly sizes: Uint32Array;
}

/** The states of the blocks of a job: places in `blockStates`. */
export type DirectoryCheckAnswer = { readonly states: Uint8Array } | { readonly failure: SentFailure };

/** Reads blocks of a directory store and checks them, with calls that block. */
export class DirectoryChecker {
  readonly #blocks: Pick<ManifestColumns, 'blockRefs'>;
  readonly #reader: DirectReader;

  private constructor({ root, ...blocks }: DirectoryCheckData) {
    this.#blocks = blocks;
    this.#reader = new DirectReader(root);
  }

  static async create(data: DirectoryCheckData): Promise<DirectoryChecker> {
    await initBlockCodec();
    return new DirectoryChecker(data);
  }

  /** @throws Failure when the store itself fails */
  check({ places, sizes }: DirectoryCheckJob): Uint8Array {
    return Uint8Array.from(places, (place, i) => blockStates.indexOf(this.#stateOf(place, sizes[i]!)));
  }

  #stateOf(place: number, size: number): BlockState {
    const ref = blockAt(this.#blocks, place);
    try {
      return checkBlock(this.#reader.read(ref.id), ref, size);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'not-found') return 'missing';
      if (error instanceof Failure && error.kind === 'corrupt') return 'corrupt';
      throw error;
    }
  }
}

/**
 * Checks blocks of a directory store by so many threads, each of which reads what it decodes. This thread is always one of them.
 * @param onState called for each block
 * @throws Failure when the store itself fails
 */
export async function checkDirectory(
  blocks: Iterable<PlacedBlock>,
  { threads, ...directory }: Omit<DirectoryCheckData, 'role'> & { readonly threads: number },
  onState: (place: number, size: number, state: BlockState) => void,
): Promise<void> {
  const data: DirectoryCheckData = { role: directoryCheckRole, ...directory };
  const others = Array.from({ length: Math.max(0, threads - 1) }, () => new CheckThread(data));
  // One iterator for all: whoever has time takes the next job, and when one fails there is none for the others.
  const jobs = jobsOf(blocks);
  const checkAll = async (check: (job: DirectoryCheckJob) => Uint8Array | Promise<Uint8Array>) => {
    for (const job of jobs)
      for (const [i, state] of (await check(job)).entries())
        onState(job.places[i]!, job.sizes[i]!, blockStates[state]!);
  };
  const checkHere = async () => {
    const checker = await DirectoryChecker.create(data);
    await checkAll(async (job) => {
      await setImmediate(); // the answers of the others get their turn
      return checker.check(job);
    });
  };
  try {
    // Two jobs for each of the others, so that the next one waits for it.
    const all = [...others, ...others].map((thread) => checkAll((job) => thread.check(job)));
    const ends = await Promise.allSettled([...all, checkHere()]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  } finally {
    await Promise.all(others.map((thread) => thread.close()));
  }
}

/** Enough that messages cost nothing, and few enough that the threads end together. */
const [mostBlocks, mostBytes] = [256, 4 << 20];

function* jobsOf(blocks: Iterable<PlacedBlock>): Generator<DirectoryCheckJob> {
  let [places, sizes, bytes]: [number[], number[], number] = [[], [], 0];
  const job = () => ({ places: Uint32Array.from(places), sizes: Uint32Array.from(sizes) });
  for (const { place, size } of blocks) {
    places.push(place);
    sizes.push(size);
    bytes += size;
    if (places.length < mostBlocks && bytes < mostBytes) continue;
    yield job();
    [places, sizes, bytes] = [[], [], 0];
  }
  if (places.length > 0) yield job();
}

class CheckThread {
  readonly #worker: Worker;
  readonly #answers: PromiseWithResolvers<Uint8Array>[] = [];

  constructor(workerData: DirectoryCheckData) {
    this.#worker = startThread(new URL('./block/block-check-worker.ts', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 4 }, // little lives longer than a block
    });
    this.#worker.on('message', (answer: DirectoryCheckAnswer) => {
      const { resolve, reject } = this.#answers.shift()!;
      if ('states' in answer) resolve(answer.states);
      else reject(receivedFailure(answer.failure));
    });
    this.#worker.on('error', (cause) => {
      const failure = new Failure('failed', 'a thread that checks blocks broke down', { cause });
      for (const { reject } of this.#answers.splice(0)) reject(failure);
    });
  }

  check(job: DirectoryCheckJob): Promise<Uint8Array> {
    const answer = Promise.withResolvers<Uint8Array>();
    this.#answers.push(answer);
    this.#worker.postMessage(job);
    return answer.promise;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
