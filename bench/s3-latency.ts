/**
 * How near 2,000 small blocks to and from S3 come to the ideal on a line with latency: requests / concurrency × latency.
 * Usage: tools/with-node24 bench/s3-latency.ts [--rounds N] [--write]
 *
 * The server is the tests' stub in a process of its own, and answers each request 16 ms late. `bare` is the same number of
 * requests without signatures and stores, by the HTTP client alone: what the client, the stub and the timers of Node.js
 * take.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { HttpPool, httpSend } from '../src/base/http.ts';
import { openStore } from '../src/store/open.ts';
import { startS3Stub } from '../src/store/s3/s3-stub.fixture.ts';
import { noiseBlock, type TestBlock } from '../src/store/test-blocks.ts';
import { type Bench, benchmark } from './benchmark.ts';
import { markdownTable, median } from './section.ts';

const count = 2000;
const size = 4096;
const latency = 16;
const concurrencies = [32, 64];
const requests = ['put', 'has', 'get', 'bare'] as const;
type Seconds = Record<(typeof requests)[number], number>;

if (process.argv[2] === '--serve') {
  const stub = await startS3Stub({ latency, anonymous: 'read' });
  process.send!(stub.port);
  process.on('disconnect', () => process.exit());
} else await benchmark(import.meta.filename, { title: 'Small blocks to and from S3', rounds: 5 }, measure);

async function measure(bench: Bench): Promise<string[]> {
  const server = fork(import.meta.filename, ['--serve']);
  try {
    const [port] = (await once(server, 'message')) as [number];
    const rows: string[][] = [];
    for (const concurrency of concurrencies) {
      const ideal = ((count / concurrency) * latency) / 1000;
      const rounds: Seconds[] = [];
      for (let round = 1; round <= bench.rounds; round++) {
        rounds.push(await measureRound(port, concurrency));
        bench.say(`round ${round} of ${bench.rounds} with ${concurrency} at one time`);
      }
      const cells = requests.map((name) => {
        const seconds = median(rounds.map((each) => each[name]));
        return `${seconds.toFixed(2)} s, ${(seconds / ideal).toFixed(2)}`;
      });
      rows.push([`${concurrency} at one time`, `${ideal.toFixed(2)} s`, ...cells]);
    }
    return [
      `${count.toLocaleString('en')} blocks of ${size.toLocaleString('en')} bytes, a server on this machine that answers every request ${latency} ms late: seconds, and how many times the ideal.`,
      '',
      ...markdownTable([['', 'ideal', ...requests], ...rows]),
      '',
      'The ideal is requests / concurrency × latency. `bare` are as many requests by the HTTP client alone, without signatures and stores: what is',
      'above 1 there, client, server and timers of Node.js take on these cores.',
    ];
  } finally {
    server.disconnect();
  }
}

async function measureRound(port: number, concurrency: number): Promise<Seconds> {
  const store = await openStore(`s3://AK:SK@127.0.0.1:${port}/blocks?concurrency=${concurrency}`);
  const blocks = Array.from({ length: count }, () => noiseBlock(size));
  const all = (ask: (block: TestBlock) => Promise<unknown>) => timed(() => Promise.all(blocks.map(ask)));
  const put = await all(({ id, blob }) => store.put(id, blob));
  const has = await all(({ id }) => store.has(id));
  const get = await all(({ id }) => store.get(id));
  const pool = new HttpPool({ connections: concurrency });
  const bare = await all(async ({ id }) => {
    const { body } = await httpSend(new URL(`http://127.0.0.1:${port}/blocks/${id}`), { pool });
    for await (const _ of body);
  });
  return { put, has, get, bare };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
