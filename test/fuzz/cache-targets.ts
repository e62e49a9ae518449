import { loadBlake2b } from '../../src/base/blake2b.ts';
import { parseMap } from '../../src/cache/block-map.ts';
import { parseRecords } from '../../src/cache/journal.ts';
import { parsePin } from '../../src/cache/pins.ts';
import { parsePosition } from '../../src/cache/scrub.ts';
import { initBlockCodec } from '../../src/flist/block/block-codec.ts';
import type { Target } from './target.ts';

/** Under the name that it has now, so that what it says is taken. */
export const cacheMaps: Target = {
  name: 'maps of a cache',
  corpus: 'cache-maps',
  async run(bytes) {
    await initBlockCodec();
    const blake2b = await loadBlake2b();
    const flags = Math.floor((bytes.length - 16) / 33);
    const map = parseMap(bytes, blake2b(bytes.subarray(8, bytes.length - flags)));
    if (map !== undefined && 16 + 33 * map.keys.length !== bytes.length)
      throw new Error('it has another number of blocks than there is room for');
    parseMap(bytes, 'a name');
  },
};

export const cacheState: Target = {
  name: 'what processes say of a cache',
  corpus: 'cache-state',
  run(bytes) {
    for (const _ of parseRecords(bytes));
    parsePin(bytes);
    parsePosition(bytes.toString());
  },
};
