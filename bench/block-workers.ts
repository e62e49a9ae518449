/**
 * How block encoding scales: key, snappy, AES-GCM and id over the blocks of a directory, with the addon (`snappy`) and in reused
 * memory (`BlockEncoder`), by threads and by child processes. Every worker reads its files before the clock starts. Besides MB/s by
 * the clock it prints MB/s by processor time, which other programs disturb less, and the kernel's part of that.
 * Usage: tools/with-node24 bench/block-workers.ts [--rounds N] [--write] [DIRECTORY]
 */
import { fork } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { compressSync } from 'snappy';
import { loadBlake2bInto } from '../src/base/blake2b.ts';
import { blockSize } from '../src/flist/block/block-codec.ts';
import { BlockEncoder } from '../src/flist/block/block-encoder.ts';
import { walkDirectory } from '../src/tree/walk-directory.ts';
import { type Bench, benchmark } from './benchmark.ts';
import { markdownTable, median } from './section.ts';
import { describeSize, sampleTree, sizeOf } from './trees.ts';

interface Part {
  readonly directory: string;
  readonly way: 'addon' | 'reused memory';
  readonly index: number;
  readonly count: number;
}

interface Outcome {
  readonly bytes: number;
  readonly user: number;
  readonly system: number;
}

type Encode = (plain: Uint8Array) => unknown;

async function encoder(way: Part['way']): Promise<Encode> {
  if (way === 'reused memory') {
    const blocks = await BlockEncoder.create();
    return (plain) => {
      const room = blocks.plain(plain.length);
      room.set(plain);
      blocks.key(room);
      return blocks.encode();
    };
  }
  const digest = await loadBlake2bInto();
  const [key, id] = [Buffer.alloc(32), Buffer.alloc(32)];
  return (plain) => {
    digest(key, plain);
    const cipher = createCipheriv('aes-256-gcm', key, key.subarray(0, 12));
    const blob = Buffer.concat([cipher.update(compressSync(plain)), cipher.final(), cipher.getAuthTag()]);
    digest(id, blob);
    return blob;
  };
}

function blocksOf({ directory, index, count }: Part): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  let files = 0;
  for (const [, entry] of walkDirectory(directory)) {
    if (entry.kind !== 'file' || files++ % count !== index) continue;
    const bytes = readFileSync(entry.content.file!);
    for (let at = 0; at < bytes.length; at += blockSize) blocks.push(bytes.subarray(at, at + blockSize));
  }
  return blocks;
}

/** A worker: says when it is ready, and encodes all its blocks at every message. */
async function work(part: Part, on: (f: () => void) => void, send: (message: unknown) => void) {
  const [encode, blocks] = [await encoder(part.way), blocksOf(part)];
  for (const block of blocks.slice(0, 100)) encode(block);
  on(() => {
    const before = process.threadCpuUsage();
    for (const block of blocks) encode(block);
    const { user, system } = process.threadCpuUsage(before);
    send({ bytes: blocks.reduce((sum, { length }) => sum + length, 0), user, system } satisfies Outcome);
  });
  send('ready');
}

async function measure(
  how: string,
  start: (part: Part) => WorkerHandle,
  parts: readonly Part[],
  rounds: number,
) {
  const workers = await Promise.all(
    parts.map(async (part) => {
      const worker = start(part);
      await once(worker.events, 'message');
      return worker;
    }),
  );
  const rows: [wall: number, cpu: number, kernel: number][] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    const outcomes = await Promise.all(
      workers.map(async ({ events, go }) => {
        const answer = once(events, 'message');
        go();
        return (await answer)[0] as Outcome;
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, one) => total + of(one), 0);
    const [bytes, cpu] = [sum((one) => one.bytes), sum((one) => one.user + one.system)];
    rows.push([bytes / seconds / 1e6, (parts.length * bytes) / cpu, sum((one) => one.system) / cpu]);
  }
  for (const { end } of workers) await end();
  const middle = (column: 0 | 1 | 2) => median(rows.map((row) => row[column]));
  return [how, middle(0).toFixed(0), middle(1).toFixed(0), `${Math.round(middle(2) * 100)} %`];
}

interface WorkerHandle {
  readonly events: NodeJS.EventEmitter;
  readonly go: () => void;
  readonly end: () => unknown;
}

const file = new URL(import.meta.url);

function thread(part: Part): WorkerHandle {
  const worker = new Worker(file, { workerData: part });
  return { events: worker, go: () => worker.postMessage('go'), end: () => worker.terminate() };
}

function child(part: Part): WorkerHandle {
  const process = fork(file, ['--part', JSON.stringify(part)]);
  return { events: process, go: () => void process.send('go'), end: () => process.kill() };
}

if (!isMainThread) {
  await work(
    workerData as Part,
    (f) => void parentPort!.on('message', f),
    (m) => parentPort!.postMessage(m),
  );
} else if (process.argv[2] === '--part') {
  await work(
    JSON.parse(process.argv[3]!),
    (f) => void process.on('message', f),
    (m) => void process.send!(m),
  );
} else
  await benchmark(
    import.meta.filename,
    { title: 'Making blocks in threads and in processes', rounds: 3 },
    measureAll,
  );

async function measureAll({ args, rounds, say }: Bench): Promise<string[]> {
  const { directory, name } = await sampleTree({ args, say });
  const table = [['', 'MB/s', 'MB/s by processor time', 'in the kernel']];
  for (const way of ['addon', 'reused memory'] as const)
    for (const count of new Set([1, availableParallelism()]))
      for (const [kind, start] of Object.entries({ thread, child })) {
        const parts = Array.from({ length: count }, (_, index) => ({ directory, way, index, count }));
        table.push(await measure(`${way}, ${count} × ${kind}`, start, parts, rounds));
        say(`${table.at(-1)!.slice(0, 2).join(': ')} MB/s`);
      }
  return [
    `${describeSize(sizeOf(directory))}: ${name}, read before. A block is made of 512 KiB: hash, snappy, AES-256-GCM, hash of the result.`,
    '',
    ...markdownTable(table),
    '',
    '`addon` is npm `snappy` with new buffers for each block; `reused memory` is what `rfs pack` does: `snappy-wasm` in buffers that a thread keeps.',
    '`MB/s by processor time` is what it would be if nothing else had used the cores.',
  ];
}
