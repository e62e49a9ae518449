/** What `cache-kill.test.ts` kills: `cache-writer.ts DIRECTORY WORK` does something with a cache. */
import { FileCache } from '../../src/cache/file-cache.ts';
import { fileOf, gives, putAll, seededFile, threeBlocks } from '../../src/cache/files.fixture.ts';
import { shareCache } from '../../src/cache/shared-cache.ts';

export const large = seededFile(threeBlocks, 1);
export const small = seededFile(1000, 2);

const works: Readonly<Record<string, (cache: FileCache) => void>> = {
  put(cache) {
    for (const file of [large, small]) putAll(cache, file);
  },
  join(cache) {
    for (let i = 0; i < large.count; i++) {
      const block = fileOf(large.plain(i));
      cache.put(block, 0, block.bytes);
    }
    for (const _ of cache.prepareWhole(large));
  },
  /** The parent has damaged what is there. */
  discard(cache) {
    for (const file of [large, small]) if (gives(cache, file)) throw new Error('it is not damaged');
  },
};

const [directory, work] = process.argv.slice(2);
if (import.meta.main) works[work!]!(new FileCache(shareCache(directory!), { warn: () => {} }));
