import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { blockSize } from '../flist/block/block-codec.ts';
import { type Manifest, manifestOf } from '../flist/manifest/manifest.ts';
import { sampleRows } from '../flist/manifest/test-manifest.ts';
import { testDirectory } from '../store/test-directory.ts';
import { TraceFile, type TraceFileOptions } from './trace-file.ts';
import { makeTraceNotes, TraceRecorder } from './trace-notes.ts';

/** A flist with an empty file `a`, `b` of `blocks` blocks, the last one of 7 bytes, and `c` of one. */
function flist(blocks: number): Manifest {
  const [root, , file] = sampleRows().inodes;
  const entry = (ino: number, name: string, size: number) => ({ ...file!, ino, parent: 1, name, size });
  const refs = (count: number) =>
    Array.from({ length: count }, () => ({ id: 'aa'.repeat(32), key: 'bb'.repeat(32) }));
  return manifestOf({
    inodes: [root!, entry(2, 'a', 0), entry(3, 'b', (blocks - 1) * blockSize + 7), entry(4, 'c', 1)],
    blocks: new Map([
      [3, refs(blocks)],
      [4, refs(1)],
    ]),
  });
}
const rows = { a: 1, b: 2, c: 3 };

const mounted = Date.parse('2026-01-02T03:04:05.678Z');
const head = '{"trace":1,"mounted":"2026-01-02T03:04:05.678Z"}\n';

async function recording(blocks = 4) {
  const path = join(await testDirectory(), 'trace');
  const { columns } = flist(blocks);
  const log: string[] = [];
  const start = async (options: Partial<TraceFileOptions> = {}) => {
    const notes = makeTraceNotes(columns, mounted);
    const file = await TraceFile.open(path, { notes, columns, log: (line) => log.push(line), ...options });
    return { file, notes, recorder: new TraceRecorder(notes, columns) };
  };
  /** What is in the file, with every time as 0. */
  const text = async () => (await readFile(path, 'utf8')).replace(/"ms":\d+/g, '"ms":0');
  return { path, columns, log, start, text };
}

const touch = (path: string, first: number, last: number, bytes: number) =>
  `{"ms":0,"path":"${path}","first":${first},"last":${last},"bytes":${bytes}}\n`;

test('each block is written when it is touched first, with the plain bytes of its file', async () => {
  const { start, text } = await recording();
  const { file, recorder } = await start();
  recorder.touch(rows.b, 1, 1);
  await file.flush();
  expect(await text()).toBe(head + touch('b', 1, 1, blockSize));
  recorder.touch(rows.b, 1, 1);
  recorder.touch(rows.c, 0, 9);
  recorder.touch(rows.a, 0, 0);
  recorder.touch(rows.b, 3, 5);
  await file.close();
  expect(await text()).toBe(head + touch('b', 1, 1, blockSize) + touch('c', 0, 0, 1) + touch('b', 3, 3, 7));
});

test('the time is that since the mount, and blocks of one moment are one line', async () => {
  const { columns, path } = await recording();
  const notes = makeTraceNotes(columns, Date.now() - 5000);
  const file = await TraceFile.open(path, { notes, columns, log: () => {} });
  new TraceRecorder(notes, columns).touch(rows.b, 0, 3);
  notes.times.fill(5017);
  await file.close();
  const [, ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines).toEqual([`{"ms":5017,"path":"b","first":0,"last":3,"bytes":${3 * blockSize + 7}}`]);
});

test('a mount that is taken over, or comes again, goes on behind what is there; half a line goes', async () => {
  const { path, start, text } = await recording();
  const first = await start();
  first.recorder.touch(rows.c, 0, 0);
  await first.file.close();
  await appendFile(path, '{"ms":5,"path":"b"');
  const second = await start();
  second.recorder.touch(rows.b, 0, 0);
  await second.file.close();
  expect(await text()).toBe(head + touch('c', 0, 0, 1) + head + touch('b', 0, 0, blockSize));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a file of nothing but half a line begins anew', async () => {
  const { path, start, text } = await recording();
  await writeFile(path, 'x'.repeat(200_000));
  await (await start()).file.close();
  expect(await text()).toBe(head);
});

test('a trace ends with a word when it has the bytes that it may, and says so once', async () => {
  const { start, text, log, path } = await recording(20);
  const { file, recorder } = await start({ limit: 300 });
  for (let i = 0; i < 20; i += 2) recorder.touch(rows.b, i, i);
  await file.flush();
  recorder.touch(rows.c, 0, 0);
  await file.close();
  const lines = (await text()).trimEnd().split('\n');
  expect(lines.at(-1)).toBe('{"ms":0,"end":"full"}');
  expect(lines).toHaveLength(5);
  expect((await stat(path)).size).toBeLessThanOrEqual(300);
  expect(log).toEqual([`the trace ${path} is as large as it may be and ends`]);
});

test('a directory that is not there is an error at once', async () => {
  const { columns, path } = await recording();
  const notes = makeTraceNotes(columns, mounted);
  const opening = TraceFile.open(join(path, 'none'), { notes, columns, log: () => {} });
  await expect(opening).rejects.toMatchObject({ name: 'Failure', hint: expect.anything() });
});

describe('several threads', () => {
  test('note each block once and lose none', async () => {
    const blocks = 20_000;
    const { start, text, columns } = await recording(blocks);
    const { file, notes } = await start();
    const code = `
      const { workerData: { module, notes, columns, row, blocks } } = require('node:worker_threads');
      import(module).then(({ TraceRecorder }) => {
        const recorder = new TraceRecorder(notes, columns);
        for (let i = 0; i < blocks; i += 3) recorder.touch(row, i, i + 4);
      });`;
    const module = new URL('./trace-notes.ts', import.meta.url).href;
    const workers = Array.from(
      { length: 3 },
      () => new Worker(code, { eval: true, workerData: { module, notes, columns, row: rows.b, blocks } }),
    );
    onTestFinished(async () => {
      for (const worker of workers) await worker.terminate();
    });
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
    await file.close();
    const seen = new Set<number>();
    let bytes = 0;
    for (const line of (await text()).trimEnd().split('\n').slice(1)) {
      const { first, last, bytes: size } = JSON.parse(line);
      for (let i = first; i <= last; i++) seen.add(i);
      bytes += size;
    }
    expect(seen.size).toBe(blocks);
    expect(bytes).toBe(columns.size[rows.b]);
  });
});
