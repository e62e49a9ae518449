/**
 * A thread that unpacks. Importing this module in a worker with the data of an unpacking starts it; anywhere else it does
 * nothing.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Failure } from '../../base/errors.ts';
import { type SentFailure, sentFailure } from '../../base/sent-failure.ts';
import type { LocalDirectory } from '../../store/local.ts';
import { type BlockRef, decodeBlock } from '../block/block-codec.ts';
import { type BlockSupply, DirectorySupply } from './block-supply.ts';
import { type Job, type JobResult, JobRunner } from './job.ts';
import type { BroughtBlock } from './remote-blocks.ts';
import type { UnpackSettings } from './unfinished-files.ts';

export const unpackThreadRole = 'unpack';

export interface UnpackThreadData {
  readonly role: typeof unpackThreadRole;
  readonly settings: UnpackSettings;
  /** Where blocks are; undefined when the main thread brings them. */
  readonly directories: readonly LocalDirectory[] | undefined;
  /** Whether the main thread wants fetched blocks back in plain form, for its cache. */
  readonly keep: boolean;
}

export type ToThread =
  | { readonly type: 'job'; readonly id: number; readonly job: Job }
  | { readonly type: 'block'; readonly place: number; readonly block: BroughtBlock }
  | { readonly type: 'no block'; readonly place: number };

export type FromThread =
  | { readonly type: 'done'; readonly id: number; readonly result: JobResult }
  | { readonly type: 'failed'; readonly id: number; readonly failure: SentFailure }
  | {
      readonly type: 'keep';
      readonly place: number;
      readonly ref: BlockRef;
      readonly plain: Uint8Array;
    };

/** Blocks that the main thread sends, each once, in any order. */
class ArrivingBlocks implements BlockSupply {
  readonly #keep: boolean;
  readonly #arrivals = new Map<number, PromiseWithResolvers<BroughtBlock>>();
  #used: { place: number; ref: BlockRef; plain: Uint8Array } | undefined;

  constructor(keep: boolean) {
    this.#keep = keep;
  }

  receive(place: number, block: BroughtBlock | undefined): void {
    if (block === undefined) this.#arrival(place).reject(new Failure('failed', 'the block was not brought'));
    else this.#arrival(place).resolve(block);
  }

  async plain(place: number, ref: BlockRef, plainSize: number): Promise<Uint8Array> {
    this.giveBack();
    const { bytes, isPlain } = await this.#arrival(place).promise;
    this.#arrivals.delete(place);
    if (isPlain) return bytes;
    const plain = decodeBlock(bytes, ref, plainSize);
    if (this.#keep) this.#used = { place, ref, plain };
    return plain;
  }

  /** Hands the block given last to the cache: it is not needed here any more. */
  giveBack(): void {
    if (this.#used === undefined) return;
    const { plain } = this.#used;
    const whole = plain.byteLength === plain.buffer.byteLength;
    parentPort!.postMessage({ type: 'keep', ...this.#used }, whole ? [plain.buffer as ArrayBuffer] : []);
    this.#used = undefined;
  }

  #arrival(place: number): PromiseWithResolvers<BroughtBlock> {
    const known = this.#arrivals.get(place);
    if (known !== undefined) return known;
    const arrival = Promise.withResolvers<BroughtBlock>();
    arrival.promise.catch(() => {}); // a job that failed before waits for it no more
    this.#arrivals.set(place, arrival);
    return arrival;
  }
}

if (!isMainThread && (workerData as UnpackThreadData | null)?.role === unpackThreadRole)
  work(workerData as UnpackThreadData);

function work({ settings, directories, keep }: UnpackThreadData): void {
  const arriving = new ArrivingBlocks(keep);
  const runner = JobRunner.create(settings, directories ? new DirectorySupply(directories) : arriving);
  let last: Promise<void> = Promise.resolve();
  parentPort!.on('message', (message: ToThread) => {
    if (message.type === 'block') arriving.receive(message.place, message.block);
    else if (message.type === 'no block') arriving.receive(message.place, undefined);
    else last = last.then(() => runJob(message.id, message.job));
  });

  async function runJob(id: number, job: Job): Promise<void> {
    try {
      const result = await (await runner).run(job);
      arriving.giveBack();
      tell({ type: 'done', id, result });
    } catch (error) {
      tell({ type: 'failed', id, failure: sentFailure(error) });
    }
  }
}

function tell(message: FromThread): void {
  parentPort!.postMessage(message);
}
