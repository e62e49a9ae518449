import { Failure } from '../base/errors.ts';
import { startThread } from '../base/small-heap.ts';
import { blockThreads } from '../base/threads.ts';
import type { CacheDirectory, Shard } from './cache-directory.ts';
import { shardsOf } from './cache-walk.ts';

export const verifyCacheRole = 'cache-verify';

/** What a thread found in a directory of a cache. */
export interface ShardFindings {
  readonly files: number;
  readonly blocks: number;
  readonly bytes: number;
  /** What could not be proved, and what was being changed. */
  readonly unproved: number;
  readonly busy: number;
  readonly damaged: readonly DamagedEntry[];
}

/** Something that was wrong, and was taken out of the cache. */
export interface DamagedEntry {
  readonly kind: 'block' | 'file';
  readonly name: string;
  /** Of a file: which of its blocks were wrong; empty when that cannot be said, and then all of it is gone. */
  readonly blocks: readonly number[];
}

/** What lies in a cache, hashed. */
export type CacheFindings = ShardFindings;

export interface VerifyCacheOptions {
  readonly onProgress?: (findings: CacheFindings) => void;
}

/** What a thread is asked: the findings of a directory. */
export interface ShardRequest {
  readonly directory: string;
  readonly shard: Shard;
}

/**
 * Hashes everything in a cache on all cores, as a scrub does, and takes out what is damaged.
 * @throws Failure when a thread breaks down.
 */
export async function verifyCache(
  directory: CacheDirectory,
  { onProgress }: VerifyCacheOptions = {},
): Promise<CacheFindings> {
  const shards = shardsOf(directory);
  let sum: CacheFindings = { files: 0, blocks: 0, bytes: 0, unproved: 0, busy: 0, damaged: [] };
  const work = async () => {
    const thread = new VerifyThread();
    try {
      for (const shard of shards) {
        const found = await thread.verify({ directory: directory.path, shard });
        sum = {
          files: sum.files + found.files,
          blocks: sum.blocks + found.blocks,
          bytes: sum.bytes + found.bytes,
          unproved: sum.unproved + found.unproved,
          busy: sum.busy + found.busy,
          damaged: found.damaged.length === 0 ? sum.damaged : [...sum.damaged, ...found.damaged],
        };
        onProgress?.(sum);
      }
    } finally {
      await thread.close();
    }
  };
  await Promise.all(Array.from({ length: blockThreads() }, work));
  return sum;
}

/** Works for one request at a time. */
class VerifyThread {
  readonly #worker = startThread(new URL('./verify-thread.ts', import.meta.url), {
    workerData: { role: verifyCacheRole },
  });

  verify(request: ShardRequest): Promise<ShardFindings> {
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown) =>
        reject(new Failure('failed', 'a thread that verifies the cache broke down', { cause }));
      this.#worker.once('error', failed);
      this.#worker.once('message', (findings: ShardFindings) => {
        this.#worker.off('error', failed);
        resolve(findings);
      });
      this.#worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
