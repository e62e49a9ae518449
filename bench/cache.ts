/**
 * The cache of a mount beside plain files: small reads of what is there, and what it costs to keep a block.
 * Usage: tools/with-node24 bench/cache.ts [--rounds N] [--work DIRECTORY] [--write]
 */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileCache } from '../src/cache/file-cache.ts';
import type { PlainFile } from '../src/cache/plain-file.ts';
import { shareCache } from '../src/cache/shared-cache.ts';
import { blockKey, blockSize, initBlockCodec } from '../src/flist/block/block-codec.ts';
import { type Bench, benchmark, inTurn, timed } from './benchmark.ts';
import { markdownTable } from './section.ts';

const count = 64;
const reads = 100_000;

await benchmark(import.meta.filename, { title: 'The cache of a mount', rounds: 5 }, measure);

/** The same work done by the cache and with plain files. */
interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly units: number;
  readonly cache: () => void;
  readonly plain: () => void;
}

async function measure(bench: Bench): Promise<string[]> {
  await initBlockCodec();
  const cache = new FileCache(shareCache(bench.fresh('cache')), { warn: bench.say });
  const rows: string[][] = [];
  for (const { what, unit, units, ...ways } of [...readComparisons(bench, cache), ...putComparisons(bench)]) {
    bench.say(what);
    const seconds = await inTurn(bench, {
      cache: () => timed(bench, async () => ways.cache()),
      plain: () => timed(bench, async () => ways.plain()),
    });
    const rate = (taken: number) => `${Math.round(units / taken).toLocaleString('en')} ${unit}/s`;
    rows.push([what, rate(seconds.cache), rate(seconds.plain), (seconds.plain / seconds.cache).toFixed(2)]);
  }
  cache.close();
  return [
    'What is read is in memory. Plain files know nothing of blocks and check nothing.',
    '',
    ...markdownTable([['', 'cache', 'plain files', 'of plain files'], ...rows]),
  ];
}

function fileOf(blocks: readonly Buffer[]): PlainFile {
  const refs = blocks.map((bytes) => {
    const key = blockKey(bytes);
    return { id: blockKey(Buffer.from(key)), key, size: bytes.length };
  });
  const size = blocks.reduce((sum, { length }) => sum + length, 0);
  return { size, count: blocks.length, block: (i) => refs[i]! };
}

function someBlocks(): Buffer[] {
  return Array.from({ length: count }, () => randomBytes(blockSize));
}

/** Reads of what a cache holds; it is filled here. */
function* readComparisons({ fresh }: Bench, cache: FileCache): Generator<Comparison> {
  const plain = someBlocks();
  const large = fileOf(plain);
  const largeFile = fresh('large');
  for (const [i, bytes] of plain.entries()) cache.put(large, i, bytes);
  writeFileSync(largeFile, Buffer.concat(plain));
  const target = Buffer.alloc(4096);
  const pages = large.size / target.length;
  const places = Array.from({ length: reads }, () => Math.floor(Math.random() * pages) * target.length);
  yield {
    what: '4 KiB at random in a file of 32 MiB',
    unit: 'reads',
    units: reads,
    cache: () => {
      for (const place of places) if (!cache.readInto(target, large, place)) throw new Error('a miss');
    },
    plain: () => {
      const file = openSync(largeFile, 'r');
      for (const place of places) readSync(file, target, 0, target.length, place);
      closeSync(file);
    },
  };

  const contents = Array.from({ length: 20_000 }, () => randomBytes(4096));
  const small = contents.map((bytes) => fileOf([bytes]));
  const directory = fresh('small');
  mkdirSync(directory);
  for (const [i, file] of small.entries()) {
    cache.put(file, 0, contents[i]!);
    writeFileSync(join(directory, file.block(0).id), contents[i]!);
  }
  yield {
    what: 'files of 4 KiB, one after the other',
    unit: 'files',
    units: small.length,
    cache: () => {
      for (const file of small) if (!cache.readInto(target, file, 0)) throw new Error('a miss');
    },
    plain: () => {
      for (const file of small) {
        const descriptor = openSync(join(directory, file.block(0).id), 'r');
        readSync(descriptor, target, 0, target.length, 0);
        closeSync(descriptor);
      }
    },
  };
}

/** Keeping blocks in a new cache, each time another. */
function* putComparisons({ fresh, say }: Bench): Generator<Comparison> {
  const plain = someBlocks();
  const large = fileOf(plain);
  yield {
    what: 'blocks of 512 KiB kept as a file of 32 MiB',
    unit: 'blocks',
    units: count,
    cache: () => {
      const cache = new FileCache(shareCache(fresh('put')), { warn: say });
      for (const [i, bytes] of plain.entries()) cache.put(large, i, bytes);
      cache.close();
    },
    plain: () => {
      const file = openSync(fresh('plain'), 'w');
      for (const bytes of plain) writeFileSync(file, bytes);
      closeSync(file);
    },
  };

  const alone = plain.map((bytes) => fileOf([bytes]));
  yield {
    what: 'blocks of 512 KiB kept by themselves',
    unit: 'blocks',
    units: count,
    cache: () => {
      const cache = new FileCache(shareCache(fresh('put')), { warn: say });
      for (const [i, bytes] of plain.entries()) cache.put(alone[i]!, 0, bytes);
      cache.close();
    },
    plain: () => {
      const directory = fresh('blocks');
      mkdirSync(directory);
      for (const [i, bytes] of plain.entries()) writeFileSync(join(directory, `${i}`), bytes);
    },
  };
}
