/**
 * The cache of a mount beside plain files: small reads of what is there, and what it costs to keep a block.
 *     tools/with-node24 bench/cache.ts
 */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTable } from '../src/base/table.ts';
import { FileCache } from '../src/cache/file-cache.ts';
import type { PlainFile } from '../src/cache/plain-file.ts';
import { shareCache } from '../src/cache/shared-cache.ts';
import { blockKey, blockSize, initBlockCodec } from '../src/flist/block-codec.ts';

const rounds = 5;
const count = 64;
const reads = 100_000;

await initBlockCodec();
const root = mkdtempSync(join(tmpdir(), 'zosbuilder-cache-'));
const plain = Array.from({ length: count }, () => randomBytes(blockSize));
const rows: string[][] = [['', 'cache', 'plain files', 'ratio']];

function fileOf(blocks: readonly Buffer[]): PlainFile {
  const refs = blocks.map((bytes) => {
    const key = blockKey(bytes);
    return { id: blockKey(Buffer.from(key)), key, size: bytes.length };
  });
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  return { size, count: blocks.length, block: (i) => refs[i]! };
}

/** The median of some runs of each, in turns, in units a second. */
function compare(what: string, unit: string, units: number, cache: () => void, peer: () => void): void {
  const times = Array.from({ length: rounds }, () => [cache, peer].map(timed));
  const [ours, theirs] = [0, 1].map((i) => units / times.map((pair) => pair[i]!).sort()[rounds >> 1]!);
  const show = (speed: number) => `${speed.toPrecision(3)} ${unit}/s`;
  rows.push([what, show(ours! * 1000), show(theirs! * 1000), (ours! / theirs!).toFixed(2)]);
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

try {
  const directory = join(root, 'cache');
  const cache = new FileCache(shareCache(directory), { warn: console.error });
  const large = fileOf(plain);
  for (const [i, bytes] of plain.entries()) cache.put(large, i, bytes);
  writeFileSync(join(root, 'large'), Buffer.concat(plain));
  const target = Buffer.alloc(4096);
  const pages = large.size / target.length;
  const places = Array.from({ length: reads }, () => Math.floor(Math.random() * pages) * target.length);

  compare(
    '4 KiB at random in a file of 32 MiB',
    'reads',
    reads,
    () => {
      for (const place of places) if (!cache.readInto(target, large, place)) throw new Error('a miss');
    },
    () => {
      const file = openSync(join(root, 'large'), 'r');
      for (const place of places) readSync(file, target, 0, target.length, place);
      closeSync(file);
    },
  );

  const contents = Array.from({ length: 20_000 }, () => randomBytes(4096));
  const small = contents.map((bytes) => fileOf([bytes]));
  mkdirSync(join(root, 'small'));
  for (const [i, file] of small.entries()) {
    cache.put(file, 0, contents[i]!);
    writeFileSync(join(root, 'small', file.block(0).id), contents[i]!);
  }
  compare(
    'files of 4 KiB, one after the other',
    'files',
    small.length,
    () => {
      for (const file of small) if (!cache.readInto(target, file, 0)) throw new Error('a miss');
    },
    () => {
      for (const file of small) {
        const descriptor = openSync(join(root, 'small', file.block(0).id), 'r');
        readSync(descriptor, target, 0, target.length, 0);
        closeSync(descriptor);
      }
    },
  );

  let round = 0;
  compare(
    'blocks of 512 KiB kept as a file of 32 MiB',
    'blocks',
    count,
    () => {
      const fresh = new FileCache(shareCache(join(root, `put ${round++}`)), { warn: console.error });
      for (const [i, bytes] of plain.entries()) fresh.put(large, i, bytes);
      fresh.close();
    },
    () => {
      const file = openSync(join(root, `plain ${round}`), 'w');
      for (const bytes of plain) writeFileSync(file, bytes);
      closeSync(file);
    },
  );
  const alone = plain.map((bytes) => fileOf([bytes]));
  compare(
    'blocks of 512 KiB kept by themselves',
    'blocks',
    count,
    () => {
      const fresh = new FileCache(shareCache(join(root, `put ${round++}`)), { warn: console.error });
      for (const [i, bytes] of plain.entries()) fresh.put(alone[i]!, 0, bytes);
    },
    () => {
      mkdirSync(join(root, `blocks ${round}`));
      for (const [i, bytes] of plain.entries()) writeFileSync(join(root, `blocks ${round}`, `${i}`), bytes);
    },
  );
  cache.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
console.log(formatTable(rows, ['left', 'right', 'right', 'right']).join('\n'));
