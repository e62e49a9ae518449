import { describeStore, type StoreUnderTest } from './conformance.ts';
import { DirStore } from './dir/dir.ts';
import { HttpStore } from './http.ts';
import { MemoryStore } from './memory.ts';
import { openStore } from './open.ts';
import { openS3, serveS3 } from './s3/test-s3.ts';
import type { Store } from './store.ts';
import { testDirectory } from './test-directory.ts';
import { serveDirectory } from './test-server.ts';
import { Failover } from './wrappers/failover.ts';
import { FaultStore } from './wrappers/fault.ts';
import { parseFaultRule } from './wrappers/fault-rules.ts';
import { LimitedStore } from './wrappers/limit.ts';
import { Meter, MeteredStore } from './wrappers/meter.ts';
import { RetryStore } from './wrappers/retry.ts';
import { SingleFlightStore } from './wrappers/single-flight.ts';
import { TimeoutStore } from './wrappers/timeout.ts';
import { VerifiedStore } from './wrappers/verify.ts';
import { Wrapper } from './wrappers/wrapper.ts';
import { startRedis } from './zdb/test-redis.ts';
import { ZdbStore } from './zdb/zdb.ts';
import { serveZdb } from './zdb/zdb-stub.fixture.ts';

const itself = <T>(store: T) => ({ store, seed: store });
const whole = { start: 0x00, end: 0xff, url: 'memory:' };

async function servedDirectory(): Promise<{ url: URL; seed: Store }> {
  const directory = await testDirectory();
  const url = new URL(`${(await serveDirectory(directory)).url}/?token=secret`);
  url.username = 'user';
  url.password = 'secret';
  return { url, seed: new DirStore(directory) };
}

describeStore('memory', async () => itself(new MemoryStore()));

describeStore('dir', async () => itself(new DirStore(await testDirectory())));

describeStore('http', async () => {
  const { url, seed } = await servedDirectory();
  return { store: new HttpStore(url), seed };
});

describeStore('s3', async () => itself((await openS3()).store));

describeStore('s3 as it is opened', async () => {
  const { port } = await serveS3({ secrets: { AK: 'secret/' } });
  return itself(await openStore(`s3://AK:secret/@127.0.0.1:${port}/blocks?concurrency=5&region=us-east-1`));
});

describeStore('s3 below a prefix of a bucket', async () => itself((await openS3({}, '/a b/c%2Bd/')).store));

describeStore('s3 without signatures', async () =>
  itself((await openS3({ anonymous: 'everything' }, '?sign=no')).store),
);

describeStore('zdb', async () => {
  const { url } = await serveZdb({ namespaces: { blocks: { password: 'secret' } } });
  return itself(new ZdbStore(new URL(`${url.replace('//', '//:secret@')}/blocks`)));
});

describeStore('zdb with a Redis', async () => itself(new ZdbStore(new URL(`zdb://${await startRedis()}`))));

describeStore('http as it is opened', async () => {
  const { url, seed } = await servedDirectory();
  return { store: await openStore(url.href), seed };
});

describeStore('dir with all parameters', async () =>
  itself(await openStore(`dir://${await testDirectory()}?concurrency=3&bandwidth=1GB&timeout=1m&retries=1`)),
);

describeStore('fault+dir', async () =>
  itself(await openStore(`fault+dir://${await testDirectory()}?fault=any:delay=1ms:0.5&seed=1`)),
);

/** Each wrapper, around a store that works. */
const wrappers: Readonly<Record<string, (inner: Store) => Store>> = {
  'a wrapper': (inner) => new Wrapper(inner),
  retry: (inner) => new RetryStore(inner),
  'retry over faults': (inner) => {
    const rules = ['any:error:0.4', 'list:error:first=2', 'put:delay=1ms:0.2'].map(parseFaultRule);
    return new RetryStore(new FaultStore(inner, { rules, seed: 7 }), { attempts: 40, pause: 0 });
  },
  limit: (inner) => new LimitedStore(inner, { concurrency: 2, bandwidth: 1e9 }),
  'single flight': (inner) => new SingleFlightStore(inner),
  verify: (inner) => new VerifiedStore(inner),
  timeout: (inner) => new TimeoutStore(inner, { timeout: 60_000 }),
  meter: (inner) => new MeteredStore(inner, new Meter()),
  fault: (inner) => new FaultStore(inner, { rules: [] }),
  failover: (inner) => new Failover([{ route: whole, store: inner }]),
};

const backends: Readonly<Record<string, () => Promise<Store>>> = {
  memory: async () => new MemoryStore(),
  dir: async () => new DirStore(await testDirectory()),
};

for (const [wrapper, wrap] of Object.entries(wrappers))
  for (const [backend, open] of Object.entries(backends))
    describeStore(`${wrapper} over ${backend}`, async () => itself(wrap(await open())));

describeStore('failover over two shards', async () =>
  itself(
    new Failover([
      { route: { ...whole, end: 0x7f }, store: new MemoryStore() },
      { route: { ...whole, start: 0x80 }, store: new DirStore(await testDirectory()) },
    ]),
  ),
);

describeStore('failover over two replicas', async () =>
  itself(
    new Failover([
      { route: whole, store: new MemoryStore() },
      { route: whole, store: new DirStore(await testDirectory()) },
    ]),
  ),
);

describeStore('failover over a replica that damages every block', async (): Promise<StoreUnderTest> => {
  const rules = ['get:flip'].map(parseFaultRule);
  const bad = new FaultStore(new MemoryStore(), { rules });
  return itself(
    new Failover([
      { route: whole, store: bad, isLocal: true },
      { route: whole, store: new DirStore(await testDirectory()) },
    ]),
  );
});
