/** A thread of `verifyCache`. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { initBlockCodec } from '../flist/block/block-codec.ts';
import { CacheDirectory } from './cache-directory.ts';
import { entriesOf } from './cache-walk.ts';
import { checkEntry } from './check-entry.ts';
import { idEncoder } from './id-encoder.ts';
import { type DamagedEntry, type ShardFindings, type ShardRequest, verifyCacheRole } from './verify-cache.ts';

if (!isMainThread && workerData?.role === verifyCacheRole) void verifyShards();

async function verifyShards(): Promise<void> {
  await initBlockCodec();
  const tools = { idOf: await idEncoder(), onRead: () => undefined };
  parentPort!.on('message', async ({ directory, shard }: ShardRequest) => {
    const place = new CacheDirectory(directory);
    const damaged: DamagedEntry[] = [];
    let [files, blocks, bytes, unproved, busy] = [0, 0, 0, 0, 0];
    for (const entry of entriesOf(place, shard)) {
      if (entry.kind !== 'block' && entry.kind !== 'whole' && entry.kind !== 'part') continue;
      const checked = await checkEntry(place, entry, tools);
      files++;
      blocks += checked.blocks;
      bytes += checked.bytes;
      if (checked.verdict === 'unproved') unproved++;
      if (checked.verdict === 'busy') busy++;
      if (checked.verdict === 'wrong')
        damaged.push({
          kind: entry.kind === 'block' ? 'block' : 'file',
          name: entry.name,
          blocks: checked.wrongBlocks,
        });
    }
    const findings: ShardFindings = { files, blocks, bytes, unproved, busy, damaged };
    parentPort!.postMessage(findings);
  });
}
