/**
 * What a recorded trace is worth: files read one after the other, in an order of their own, from a mount with an empty cache whose store
 * answers 20 ms late. The store counts round trips, and the longest chain of them of which each began when the one before had ended.
 * Usage: tools/with-node24 bench/trace.ts [--rounds N] [--write] [DIRECTORY]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256 } from '../src/base/digest.ts';
import { run } from '../src/base/exec.ts';
import { findMount } from '../src/fuse/mount-table.ts';
import { TripCounter } from '../src/mount/distant-store.fixture.ts';
import { DirStore } from '../src/store/dir/dir.ts';
import { type Bench, benchmark } from './benchmark.ts';
import { markdownTable, median } from './section.ts';

const latency = 20;
const fileCount = 300;
const largestFile = 4 << 20;

const ways = ['as asked for', 'with the trace'] as const;
type Way = (typeof ways)[number];

/** What one reading of the files took; counts are those of the store. */
interface Reading {
  readonly seconds: number;
  readonly trips: number;
  readonly chain: number;
}

if (process.send) await serveBlocks(process.argv[2]!);
else
  await benchmark(import.meta.filename, { title: 'Trace and prefetch', rounds: 5 }, async (bench) => {
    const [source = '/usr/share'] = bench.args;
    const at = (name: string) => join(bench.work, name);
    const files = await copySome(source, at('tree'));
    await writeFile(at('order'), files.map((file) => `${file}\0`).join(''));
    await mkdir(at('mnt'));
    await rfs('pack', '-m', at('tree.fl'), '-s', `dir://${at('blocks')}`, at('tree'));
    const results = await measure(bench, at);
    const middle = (way: Way, what: keyof Reading) => median(results[way].map((reading) => reading[what]));
    const cut = (what: keyof Reading) =>
      (middle('as asked for', what) / middle('with the trace', what)).toFixed(1);
    return [
      `${fileCount} files of ${source}, read by one \`cat\` after the other; the store is on this machine, with ${latency} ms of added latency.`,
      '',
      ...markdownTable([
        ['', 'requests', 'in sequence', 'time'],
        ...ways.map((way) => [
          way,
          `${middle(way, 'trips')}`,
          `${middle(way, 'chain')}`,
          `${middle(way, 'seconds').toFixed(2)} s`,
        ]),
      ]),
      '',
      `The recorded trace cuts the round trips to the store in sequence (the critical path) **${cut('chain')} times**, and the time ${cut('seconds')} times.`,
    ];
  });

async function measure({ rounds, say, fresh }: Bench, at: (name: string) => string) {
  const server = fork(import.meta.filename, [at('blocks')]);
  try {
    const [port] = (await once(server, 'message')) as [number];
    const read = async (flist: string, ...more: string[]): Promise<Reading> => {
      const where = ['-s', `http://127.0.0.1:${port}/`, '-c', fresh('cache')];
      await rfs('mount', '-m', flist, ...where, ...more, '-d', at('mnt'));
      const pid = (await findMount(at('mnt')))!.source;
      try {
        const start = performance.now();
        await run('sh', [
          '-c',
          'cd "$1" && xargs -0 -n 1 cat <"$2" >/dev/null',
          'sh',
          at('mnt'),
          at('order'),
        ]);
        const seconds = (performance.now() - start) / 1000;
        server.send('counts');
        const [counts] = (await once(server, 'message')) as [Omit<Reading, 'seconds'>];
        return { seconds, ...counts };
      } finally {
        await run('umount', [at('mnt')]);
        await run('tail', ['--pid', pid, '-f', '/dev/null']); // until nobody writes into the cache
      }
    };
    await read(at('tree.fl'), '--trace', at('trace'));
    await rfs('flist', 'trace', at('trace'), '-m', at('tree.fl'), '-o', at('traced.fl'));
    const results: Record<Way, Reading[]> = { 'as asked for': [], 'with the trace': [] };
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      results['as asked for'].push(await read(at('traced.fl'), '--prefetch', 'off'));
      results['with the trace'].push(await read(at('traced.fl')));
    }
    return results;
  } finally {
    server.disconnect();
  }
}

function rfs(...args: string[]): Promise<unknown> {
  return run(join(import.meta.dirname, '../rfs'), args);
}

/** The store, in a process of its own: answers late, and says what it counted when it is asked. */
async function serveBlocks(directory: string): Promise<void> {
  const store = new DirStore(directory);
  let counter = new TripCounter();
  const server = createServer(async (request, response) => {
    const end = counter.begin();
    const id = request.url!.slice(request.url!.lastIndexOf('/') + 1);
    const [blob] = await Promise.all([store.get(id).catch(() => undefined), sleep(latency)]);
    end();
    if (blob === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': blob.length }).end(blob);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send!((server.address() as AddressInfo).port);
  process.on('message', () => {
    process.send!({ trips: counter.trips, chain: counter.longestChain });
    counter = new TripCounter();
  });
  process.on('disconnect', () => process.exit());
}

/** Copies files of a directory, chosen and put in order by the digest of their path. Returns their names in that order. */
async function copySome(source: string, target: string): Promise<string[]> {
  const names = await readdir(source, { recursive: true });
  const chosen: string[] = [];
  for (const name of names.sort((a, b) => (sha256(a) < sha256(b) ? -1 : 1))) {
    if (chosen.length === fileCount) break;
    const stats = await stat(join(source, name)).catch(() => undefined);
    if (!stats?.isFile() || stats.size === 0 || stats.size > largestFile) continue;
    await mkdir(dirname(join(target, name)), { recursive: true });
    await cp(join(source, name), join(target, name), { dereference: true });
    chosen.push(name);
  }
  return chosen;
}
