import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeName } from '../../base/names.ts';
import { testDirectory } from '../../store/test-directory.ts';
import { blockSize } from '../block/block-codec.ts';
import { type Manifest, manifestOf, readManifest, writeManifest } from '../manifest/manifest.ts';
import { sampleRows } from '../manifest/test-manifest.ts';
import { type Keep, TraceFold } from './trace-fold.ts';
import { readTrace, type TraceRecord, traceLine } from './trace-lines.ts';
import { writePrefetch } from './trace-prefetch.ts';

/** A flist of files by their number of blocks. */
function flist(files: Readonly<Record<string, number>>): Manifest {
  const [root, , file] = sampleRows().inodes;
  const names = Object.entries(files);
  return manifestOf({
    inodes: [
      root!,
      ...names.map(([name, count], i) => ({
        ...file!,
        ino: i + 2,
        parent: 1,
        name,
        size: count * blockSize,
      })),
    ],
    blocks: new Map(
      names.map(([, count], i) => [
        i + 2,
        Array.from({ length: count }, (_, index) => {
          const digits = (i * 16 + index).toString(16).padStart(64, '0');
          return { id: digits, key: digits };
        }),
      ]),
    ),
  });
}

type Touch = readonly [ms: number, path: string, first: number, last?: number];

const touch = ([ms, path, first, last = first]: Touch) => ({
  ms,
  path,
  first,
  last,
  bytes: (last - first + 1) * blockSize,
});

/** What is made of the touches of some mounts, as `NAME:FIRST-LAST`. */
function folded(manifest: Manifest, mounts: readonly (readonly Touch[])[], keep: Keep = 'most') {
  const fold = new TraceFold(manifest.columns);
  for (const [index, touches] of mounts.entries())
    for (const each of touches) fold.take(`${index}`, touch(each));
  const { prefetch, counts } = fold.finish(keep);
  const names = prefetch.map(
    ({ ino, first, last }) => `${manifest.inode(ino)!.name}:${first === last ? first : `${first}-${last}`}`,
  );
  return { ranges: names.join(' '), counts };
}

async function recordsOf(text: string | Uint8Array): Promise<TraceRecord[]> {
  const records: TraceRecord[] = [];
  async function* chunks() {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
  }
  for await (const record of readTrace(chunks(), 'the trace')) records.push(record);
  return records;
}

const head = '{"trace":1,"mounted":"2026-01-02T03:04:05.678Z"}\n';

test('a trace is lines of JSON with the paths as in a dump, and comes back as it was written', async () => {
  const records: TraceRecord[] = [
    { trace: 1, mounted: '2026-01-02T03:04:05.678Z' },
    { ms: 0, path: decodeName(Buffer.from('usr/\x1b\x9b\n\u200e')), first: 0, last: 2, bytes: 1_500_000 },
    { ms: 17, path: decodeName(Buffer.of(0xff)), first: 1, last: 1, bytes: 1 },
    { ms: 99, end: 'full' },
  ];
  const text = records.map(traceLine).join('');
  expect(text).toBe(
    `${head}{"ms":0,"path":"usr/\\u001b\\u009b\\n\\u200e","first":0,"last":2,"bytes":1500000}\n` +
      `{"ms":17,"path":"\\udcff","first":1,"last":1,"bytes":1}\n{"ms":99,"end":"full"}\n`,
  );
  expect(await recordsOf(text)).toEqual(records);
});

test('a last line that is not whole is passed over', async () => {
  expect(await recordsOf(`${head}{"ms":1,"pa`)).toHaveLength(1);
  expect(await recordsOf('')).toEqual([]);
});

const good = '{"ms":1,"path":"a","first":0,"last":0,"bytes":1}';
test.each<[what: string, lines: string, line: number, why: RegExp]>([
  ['no JSON', `${head}x\n`, 2, /JSON/],
  ['no head', `${good}\n`, 1, /begin/],
  ['another version', '{"trace":2,"mounted":""}\n', 1, /version/],
  ['a field of no meaning', `${head}${good.replace('"ms"', '"x":1,"ms"')}\n`, 2, /"x"/],
  ['a negative block', `${head}${good.replace('"first":0', '"first":-1')}\n`, 2, /negative/],
  ['a part of a block', `${head}${good.replace('"last":0', '"last":0.5')}\n`, 2, /whole number/],
  ['blocks from behind', `${head}${good.replace('"first":0', '"first":1')}\n`, 2, /larger/],
  ['no end of a line', `${head}{"ms":1,"path":"${'a'.repeat(40_000)}`, 2, /longer/],
  ['another end', `${head}{"ms":1,"end":"empty"}\n`, 2, /full/],
])('%s is refused, with its line', async (_, text, line, why) => {
  const failure = await recordsOf(text).catch((error) => error);
  expect(failure).toMatchObject({ kind: 'corrupt', message: `line ${line} of the trace is not of a trace` });
  expect(failure.cause).toMatch(why);
});

test('one mount gives its own order, and neighbours are one range', () => {
  const manifest = flist({ a: 4, b: 2 });
  const { ranges, counts } = folded(manifest, [
    [
      [3, 'b', 1],
      [3, 'a', 2, 3],
      [7, 'a', 1],
      [8, 'a', 0],
      [9, 'b', 0, 1],
    ],
  ]);
  expect(ranges).toBe('b:1 a:2-3 a:1 a:0 b:0');
  expect(counts).toEqual({ mounts: 1, files: 2, blocks: 6, bytes: 6 * blockSize, dropped: 0, unknown: 0 });
});

test('of several mounts the median of the first touch counts, and what most of them read is kept', () => {
  const manifest = flist({ a: 1, b: 1, c: 1, d: 1 });
  const mounts: Touch[][] = [
    [
      [1, 'a', 0],
      [10, 'b', 0],
      [20, 'c', 0],
    ],
    [
      [5, 'b', 0],
      [50, 'a', 0],
      [51, 'd', 0],
    ],
    [
      [6, 'b', 0],
      [40, 'a', 0],
      [41, 'c', 0],
    ],
  ];
  expect(folded(manifest, mounts)).toEqual({
    ranges: 'b:0 c:0 a:0',
    counts: { mounts: 3, files: 3, blocks: 3, bytes: 3 * blockSize, dropped: 1, unknown: 0 },
  });
  expect(folded(manifest, mounts, 'all').ranges).toBe('b:0 a:0');
  expect(folded(manifest, mounts, 'any').ranges).toBe('b:0 c:0 a:0 d:0');
  expect(folded(manifest, [...mounts].reverse(), 'any').ranges).toBe('b:0 c:0 a:0 d:0');
  expect(folded(manifest, [...mounts, [[1, 'not there', 0]]]).counts).toMatchObject({
    mounts: 3,
    unknown: 1,
  });
});

test('blocks that the flist has not are passed over, and those that it has are kept', () => {
  const { ranges, counts } = folded(flist({ a: 2 }), [
    [
      [1, 'a', 1, 2 ** 40],
      [2, '', 0],
      [3, 'a/b', 0],
      [4, 'b', 0],
    ],
  ]);
  expect(ranges).toBe('a:1');
  expect(counts).toMatchObject({ blocks: 1, unknown: 4 });
});

test('any traces make a list in which every block is there once, the same whatever their order', () => {
  const manifest = flist({ a: 3, b: 5, c: 1 });
  const touches = fc.array(
    fc
      .tuple(fc.nat(9), fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(5), fc.nat(7))
      .map(([ms, path, first, more]): Touch => [ms, path, first, first + more]),
    { maxLength: 9 },
  );
  fc.assert(
    fc.property(
      fc.array(touches, { maxLength: 5 }),
      fc.constantFrom('most', 'all', 'any'),
      (mounts, keep) => {
        const { ranges, counts } = folded(manifest, mounts, keep);
        const blocks = ranges
          .split(' ')
          .filter(Boolean)
          .flatMap((range) => {
            const [name, first, last = first] = range.split(/[:-]/) as [string, string, string?];
            return Array.from(
              { length: Number(last) - Number(first) + 1 },
              (_, i) => `${name}${Number(first) + i}`,
            );
          });
        expect(new Set(blocks).size).toBe(blocks.length);
        expect(blocks).toHaveLength(counts.blocks);
        expect(folded(manifest, [...mounts].reverse(), keep)).toEqual({ ranges, counts });
      },
    ),
  );
});

test('a flist gets the list of its traces, keeps everything else, and is as it was when there is nothing in them', async () => {
  const root = await testDirectory();
  const [manifest, output, trace] = [join(root, 'a.fl'), join(root, 'b.fl'), join(root, 'trace')];
  await writeManifest(manifest, flist({ a: 2, b: 1 }).with({ tags: new Map([['kept', 'yes']]) }));
  await writeFile(
    trace,
    [
      head,
      traceLine(touch([5, 'b', 0])),
      traceLine(touch([9, 'a', 0, 1])),
      head.replace('2026', '2027'),
      traceLine(touch([2, 'a', 0, 1])),
      traceLine(touch([3, 'b', 0])),
    ].join(''),
  );
  const options = { manifest, output, keep: 'most' } as const;
  expect(await writePrefetch([trace], options)).toMatchObject({ mounts: 2, blocks: 3, files: 2 });
  const made = await readManifest(output);
  expect(made.tags.get('kept')).toBe('yes');
  expect(Array.from(made.prefetch, ({ ino }) => made.inode(ino)!.name)).toEqual(['a', 'b']);
  const before = await readFile(output);
  await writePrefetch([trace], { ...options, manifest: output });
  expect((await readFile(output)).equals(before)).toBe(true);

  const { mtimeMs } = await stat(output);
  await writeFile(trace, head);
  await expect(writePrefetch([trace], options)).rejects.toMatchObject({ kind: 'failed' });
  await expect(writePrefetch([join(root, 'absent')], options)).rejects.toMatchObject({ kind: 'not-found' });
  expect((await stat(output)).mtimeMs).toBe(mtimeMs);
});
