import { describeStore } from './conformance.ts';
import { DirStore } from './dir.ts';
import { HttpStore } from './http.ts';
import { MemoryStore } from './memory.ts';
import { openRoutes } from './open.ts';
import { Router } from './router.ts';
import { testDirectory } from './test-directory.ts';
import { startRedis } from './test-redis.ts';
import { serveDirectory } from './test-server.ts';
import { ZdbStore } from './zdb.ts';
import { serveZdb } from './zdb-stub.fixture.ts';

const itself = <T>(store: T) => ({ store, seed: store });

describeStore('memory', async () => itself(new MemoryStore()));

describeStore('dir', async () => itself(new DirStore(await testDirectory())));

describeStore('http', async () => {
  const directory = await testDirectory();
  const { url } = await serveDirectory(directory);
  return { store: new HttpStore(new URL(url)), seed: new DirStore(directory) };
});

describeStore('zdb', async () => {
  const { url } = await serveZdb({ namespaces: { blocks: { password: 'pass' } } });
  return itself(new ZdbStore(new URL(`${url.replace('//', '//:pass@')}/blocks`)));
});

describeStore('zdb with a Redis', async () => itself(new ZdbStore(new URL(`zdb://${await startRedis()}`))));

describeStore('a router over two shards', async () =>
  itself(
    new Router([
      { route: { start: 0x00, end: 0x7f, url: 'memory:' }, store: new MemoryStore() },
      { route: { start: 0x80, end: 0xff, url: 'memory:' }, store: new MemoryStore() },
    ]),
  ),
);

describeStore('a router over two replicas', async () =>
  itself(
    await openRoutes([
      { start: 0x00, end: 0xff, url: `dir://${await testDirectory()}` },
      { start: 0x00, end: 0xff, url: `dir://${await testDirectory()}` },
    ]),
  ),
);
