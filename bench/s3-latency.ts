/**
 * How near 2,000 small blocks to and from S3 come to the ideal on a line with latency: requests / concurrency × latency.
 * Run: tools/with-node24 bench/s3-latency.ts
 *
 * The server is the tests' stub in a process of its own, and answers each request 16 ms late. `bare` is the same number of
 * requests without signatures and stores, by the HTTP client alone: what the client, the stub and the timers of Node.js
 * take. Each figure is the median of three runs.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { HttpPool, httpSend } from '../src/base/http.ts';
import { openStore } from '../src/store/open.ts';
import { startS3Stub } from '../src/store/s3-stub.fixture.ts';
import { noiseBlock, type TestBlock } from '../src/store/test-blocks.ts';

const count = 2000;
const size = 4096;
const latency = 16;
const rounds = 3;
const concurrencies = [32, 64];

if (process.send) {
  const stub = await startS3Stub({ latency, anonymous: 'read' });
  process.send(stub.port);
  process.on('disconnect', () => process.exit());
} else {
  const server = fork(import.meta.filename);
  const [port] = (await once(server, 'message')) as [number];
  try {
    await measureAll(port);
  } finally {
    server.disconnect();
  }
}

async function measureAll(port: number): Promise<void> {
  console.log(
    `${count} blocks of ${size} bytes, ${latency} ms of latency, ${cpus().length} cores, medians of ${rounds}`,
  );
  console.log('concurrency  ideal     put           has           get           bare');
  for (const concurrency of concurrencies) {
    const seconds: Record<string, number[]> = { put: [], has: [], get: [], bare: [] };
    for (let round = 0; round < rounds; round++)
      for (const [what, taken] of Object.entries(await measureRound(port, concurrency)))
        seconds[what]!.push(taken);
    const ideal = ((count / concurrency) * latency) / 1000;
    const cells = Object.values(seconds).map((each) => {
      const median = [...each].sort((a, b) => a - b)[rounds >> 1]!;
      return `${median.toFixed(2)} s ${(median / ideal).toFixed(2)}x`.padEnd(14);
    });
    console.log(`${`${concurrency}`.padEnd(13)}${ideal.toFixed(2)} s    ${cells.join('')}`);
  }
}

async function measureRound(port: number, concurrency: number): Promise<Record<string, number>> {
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
