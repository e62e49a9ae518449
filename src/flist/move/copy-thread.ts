/** A thread of `CopyThreads`. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { loadBlake2b } from '../../base/blake2b.ts';
import { DirectReader } from '../../store/dir/direct-reader.ts';
import { DirectWriter } from '../../store/dir/direct-writer.ts';
import type { BlockId } from '../../store/store.ts';
import { type CopyThreadData, copyThreadRole, type ThreadCopy } from './copy-threads.ts';

const data = workerData as CopyThreadData | null;
if (!isMainThread && data?.role === copyThreadRole) void copyBlocks(data);

async function copyBlocks({ from, to }: CopyThreadData): Promise<void> {
  const blake2b = await loadBlake2b();
  const [reader, writer] = [new DirectReader(from), new DirectWriter(to)];
  const copy = (id: BlockId): ThreadCopy | undefined => {
    try {
      const blob = reader.read(id);
      if (blake2b(blob) !== id) return undefined;
      return { bytes: blob.length, temporary: writer.write(id, blob) };
    } catch {
      return undefined;
    }
  };
  parentPort!.on('message', (id: BlockId) => parentPort!.postMessage(copy(id)));
}
