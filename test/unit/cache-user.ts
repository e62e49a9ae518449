/** One of several processes of `cache-processes.test.ts`: `cache-user.ts DIRECTORY SEED ROUNDS` uses a cache at random. */
import { readFileSync } from 'node:fs';
import { CacheDirectory } from '../../src/cache/cache-directory.ts';
import { evict } from '../../src/cache/evict.ts';
import { FileCache } from '../../src/cache/file-cache.ts';
import { blocksGiven, gives, placeOf, seededFile, type TestFile } from '../../src/cache/files.fixture.ts';
import { Journal } from '../../src/cache/journal.ts';
import { shareCache } from '../../src/cache/shared-cache.ts';
import { atOnce } from '../../src/cache/turn.ts';
import { verifyCache } from '../../src/cache/verify-cache.ts';
import { blockSize } from '../../src/flist/block/block-codec.ts';
import { Random } from '../fuzz/random.ts';

const [directory, seed, rounds] = process.argv.slice(2) as [string, string, string];
const random = new Random(seed);
const files = [3000, blockSize, blockSize + 1, 3 * blockSize + 7, 10 * blockSize].map((size, i) =>
  seededFile(size, i),
);
const place = new CacheDirectory(directory);
const cache = new FileCache(shareCache(directory), { warn: () => {} });
const seen = { hits: 0, misses: 0 };

/** Reads a file, puts what is missing of some blocks, and may open it whole. Wrong bytes throw. */
function use(file: TestFile): void {
  for (const [i, isHere] of blocksGiven(cache, file).entries()) {
    if (isHere) seen.hits++;
    else seen.misses++;
    if (!isHere && random.below(4) > 0) cache.put(file, i, file.plain(i));
  }
  if (random.below(3) === 0) for (const _ of cache.prepareWhole(file));
  const whole = cache.openWhole(file);
  if (whole !== undefined && !readFileSync(whole.descriptor).equals(file.bytes))
    throw new Error(`${placeOf(directory, file)} is wrong`);
  whole?.close();
  gives(cache, file);
}

for (let round = 0; round < Number(rounds); round++) {
  use(files[random.below(files.length)]!);
  if (random.below(12) === 0)
    await evict(place, new Journal(place), { target: random.below(8) * blockSize, turn: atOnce });
}
if (random.below(2) === 0) await verifyCache(place);
cache.close();
console.log(JSON.stringify(seen));
