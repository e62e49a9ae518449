import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { describeError } from '../../base/errors.ts';
import { openStore } from '../open.ts';
import type { Store } from '../store.ts';
import { blockOf } from '../test-blocks.ts';
import { testDirectory } from '../test-directory.ts';
import { startRedis } from './test-redis.ts';
import { ZdbStore } from './zdb.ts';
import { type StubRequest, serveZdb } from './zdb-stub.fixture.ts';

const id = (n: number) => n.toString(16).padStart(64, '0');
const blob = Buffer.from('blob');
const store = (url: string, options = {}) => new ZdbStore(new URL(url), options);

async function idsOf(store: Store): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of store.list()) ids.push(id);
  return ids.sort();
}

test('a server on a Unix socket is a store', async () => {
  const path = join(await testDirectory(), 'a socket');
  await serveZdb({ path });
  const opened = await openStore(`zdb://${path}`);
  const block = blockOf('blob');
  await opened.put(block.id, block.blob);
  expect(Buffer.compare(await opened.get(block.id), block.blob)).toBe(0);
});

test('a server that is not there is unavailable, by its address', async () => {
  const url = `zdb://${await testDirectory()}/socket`;
  const failure = await store(url)
    .get(id(1))
    .catch((error) => error);
  expect(failure).toMatchObject({ name: 'Failure', kind: 'unavailable', hint: expect.anything() });
  expect(describeError(failure)).toMatch(new RegExp(`^${url}: .*ENOENT`));
});

describe('a namespace', () => {
  const namespaces = {
    open: {},
    locked: { password: 'p@ss' },
    readable: { password: 'p@ss', public: true },
  };

  test('holds its own blocks, by the last part of the path', async () => {
    const { url } = await serveZdb({ namespaces });
    await store(`${url}/open`).put(id(1), blob);
    expect(await store(`${url}/some/open`).has(id(1))).toBe(true);
    expect(await store(url).has(id(1))).toBe(false);
    expect(await store(`${url}/`).has(id(1))).toBe(false);
    expect(await store(`${url}/default`).has(id(1))).toBe(false);
  });

  test('is opened with the password as it is meant, percent-escapes decoded', async () => {
    const { url } = await serveZdb({ namespaces });
    const opened = store(`${url.replace('//', '//user:p%40ss@')}/locked`);
    await opened.put(id(1), blob);
    expect(await opened.get(id(1))).toEqual(blob);
  });

  test.each([
    ['/locked', '', 'protected and private'],
    ['/locked', ':wr0ng@', 'Access denied'],
  ])('%s is denied to %j, without showing a secret', async (path, credentials, says) => {
    const { url } = await serveZdb({ namespaces });
    const failure = await store(`${url.replace('//', `//${credentials}`)}${path}`)
      .get(id(1))
      .catch((error) => error);
    expect(failure).toMatchObject({ kind: 'denied', hint: expect.stringContaining('password') });
    expect(describeError(failure)).toContain(says);
    expect(describeError(failure)).not.toContain('wr0ng');
  });

  test('that is public can be read without its password and not written', async () => {
    const { url } = await serveZdb({ namespaces });
    await store(`${url.replace('//', '//:p%40ss@')}/readable`).put(id(1), blob);
    const reader = store(`${url}/readable`);
    expect(await reader.get(id(1))).toEqual(blob);
    for (const write of [reader.put(id(2), blob), reader.delete(id(1))])
      await expect(write).rejects.toMatchObject({ kind: 'denied', hint: expect.stringContaining('writing') });
  });

  test('that is not there is an error of the address, not a missing block', async () => {
    const { url } = await serveZdb({ namespaces });
    await expect(store(`${url}/absent`).get(id(1))).rejects.toMatchObject({ kind: 'config' });
  });
});

describe('what a server says', () => {
  test.each([
    ['No space left on this namespace', 'unavailable'],
    ['LOADING Redis is loading the dataset in memory', 'unavailable'],
    ['Invalid key, only update authorized', 'config'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'corrupt'],
    ['ERR something else', 'failed'],
  ])('%j is an error of the kind %s with a hint', async (text, kind) => {
    const { url } = await serveZdb({ respond: ({ socket }) => socket.write(`-${text}\r\n`) });
    const failure = await store(url)
      .put(id(1), blob)
      .catch((error) => error);
    expect(failure).toMatchObject({ kind, hint: expect.anything() });
    expect(describeError(failure)).toContain(text);
  });

  test('shows neither a password that the server repeats nor its control characters', async () => {
    const { url } = await serveZdb({
      respond: ({ socket }) => socket.write("-ERR no 's3cret' \x1b[31m\r\n"),
    });
    const failure = await store(url.replace('//', '//:s3cret@'))
      .get(id(1))
      .catch((error) => error);
    expect(describeError(failure)).toContain("no '…' ?[31m");
  });
});

describe('requests', () => {
  test('a block that is there is not sent again', async () => {
    const { url, commands } = await serveZdb();
    await store(url).put(id(1), blob);
    await store(url).put(id(1), blob);
    expect(commands).toEqual(['EXISTS', 'SET', 'EXISTS']);
  });

  test('are all sent before the first is answered, over few connections', async () => {
    const held: StubRequest[] = [];
    const { url, connections } = await serveZdb({
      respond(request) {
        held.push(request);
        if (held.length === 100) for (const { socket, reply } of held) socket.write(reply);
      },
    });
    const pipelined = store(url, { connections: 3 });
    const found = await Promise.all(Array.from({ length: 100 }, (_, n) => pipelined.has(id(n))));
    expect(found).toEqual(Array(100).fill(false));
    expect(connections()).toBe(3);
  });

  test('get their own replies, however these are cut and joined', async () => {
    const sent = new Map<unknown, Buffer>();
    const { url } = await serveZdb({
      respond({ socket, reply }) {
        if (!sent.has(socket)) setImmediate(trickle);
        sent.set(socket, Buffer.concat([sent.get(socket) ?? Buffer.alloc(0), reply]));
        function trickle() {
          const bytes = sent.get(socket)!;
          socket.write(bytes.subarray(0, 7));
          sent.set(socket, bytes.subarray(7));
          if (bytes.length > 7) setImmediate(trickle);
          else sent.delete(socket);
        }
      },
    });
    const opened = store(url);
    const blobs = Array.from({ length: 30 }, (_, n) => Buffer.alloc(n + 1, n));
    await Promise.all(blobs.map((blob, n) => opened.put(id(n), blob)));
    expect(await Promise.all(blobs.map((_, n) => opened.get(id(n))))).toEqual(blobs);
  });

  test('go over one connection as long as they come one after the other', async () => {
    const { url, connections } = await serveZdb();
    const opened = store(url);
    for (let n = 0; n < 10; n++) await opened.put(id(n), blob);
    expect(connections()).toBe(1);
  });

  test('that are told to stop do so while the server is silent, and the others go on', async () => {
    const held: StubRequest[] = [];
    const { url } = await serveZdb({
      respond(request) {
        held.push(request);
        if (held.length === 2) stop.abort(new Error('told to stop'));
      },
    });
    const stop = new AbortController();
    const opened = store(url, { connections: 1 });
    const stopped = opened.has(id(1), stop.signal);
    const other = opened.has(id(2));
    await expect(stopped).rejects.toThrow('told to stop');
    for (const { socket, reply } of held) socket.write(reply);
    expect(await other).toBe(false);
  });
});

describe('a lost connection', () => {
  test('is made anew when the server closed it in between', async () => {
    const { url, disconnect, connections } = await serveZdb();
    const opened = store(url);
    await opened.put(id(1), blob);
    await disconnect();
    expect(await opened.get(id(1))).toEqual(blob);
    expect(connections()).toBe(2);
  });

  test('repeats what it had under way, also after half a reply', async () => {
    const { url } = await serveZdb({
      respond({ socket, connection, command, reply }) {
        if (connection === 1 && command === 'GET') socket.end(reply.subarray(0, reply.length / 2));
        else socket.write(reply);
      },
    });
    const opened = store(url, { connections: 1 });
    await opened.put(id(1), blob);
    expect(await Promise.all([opened.get(id(1)), opened.get(id(1)), opened.has(id(2))])).toEqual([
      blob,
      blob,
      false,
    ]);
  });

  test('is given up when the server closes every one', async () => {
    const { url, connections } = await serveZdb({ respond: ({ socket }) => socket.destroy() });
    await expect(store(url).get(id(1))).rejects.toMatchObject({ kind: 'unavailable' });
    expect(connections()).toBe(3);
  });

  test('does not repeat a deletion', async () => {
    const { url, commands } = await serveZdb({ respond: ({ socket }) => socket.destroy() });
    await expect(store(url).delete(id(1))).rejects.toMatchObject({ kind: 'unavailable' });
    expect(commands).toEqual(['DEL']);
  });
});

describe('a server that does not behave', () => {
  test('is given up when a reply does not become whole in time, and asked again on a new connection', async () => {
    const { url } = await serveZdb({
      respond({ socket, connection, reply }) {
        socket.write(connection === 1 ? reply.subarray(0, 2) : reply);
      },
    });
    const opened = store(url, { timeout: 50, connections: 1 });
    const [first, behind] = await Promise.allSettled([opened.has(id(1)), opened.has(id(2))]);
    expect(first).toMatchObject({ reason: { kind: 'timeout', message: expect.stringContaining(url) } });
    expect(behind).toEqual({ status: 'fulfilled', value: false });
  });

  test.each([
    ['a giant length', '$99999999999\r\n'],
    ['a block larger than blocks can be', `$${(1 << 20) + 1}\r\n`],
    ['an array', '*1\r\n:1\r\n'],
    ['a number', ':7\r\n'],
    ['an empty block', '$0\r\n\r\n'],
    ['the page of a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ])('answers GET with %s', async (_what, reply) => {
    const { url } = await serveZdb({ respond: ({ socket }) => socket.write(reply) });
    await expect(store(url).get(id(1))).rejects.toMatchObject({ name: 'Failure', kind: 'corrupt' });
  });

  test.each([
    ['EXISTS', ':2\r\n', (opened: Store) => opened.has(id(1))],
    ['SET', ':0\r\n', (opened: Store) => opened.put(id(1), blob)],
    ['SET', '$3\r\nkey\r\n', (opened: Store) => opened.put(id(1), blob)],
    ['DEL', '$-1\r\n', (opened: Store) => opened.delete(id(1))],
    ['SCAN', '*1\r\n$1\r\n0\r\n', idsOf],
    ['SCAN', '*2\r\n$1\r\n0\r\n*1\r\n:1\r\n', idsOf],
    ['SCAN', '*2\r\n$1\r\n7\r\n*0\r\n', idsOf],
  ])('answers %s with %j', async (command, wrong, use: (opened: Store) => Promise<unknown>) => {
    const { url } = await serveZdb({
      respond: ({ socket, ...request }) => socket.write(request.command === command ? wrong : request.reply),
    });
    await expect(use(store(url))).rejects.toMatchObject({ name: 'Failure', kind: 'corrupt' });
  });

  test('is not believed when it says that it has a block and then has not', async () => {
    const { url } = await serveZdb({
      respond: ({ socket, command }) => socket.write(command === 'SET' ? '$-1\r\n' : ':0\r\n'),
    });
    await expect(store(url).put(id(1), blob)).rejects.toMatchObject({ kind: 'failed' });
  });

  test('and sends what nobody asked for loses the connection, not the next request', async () => {
    const { url, connections } = await serveZdb({
      respond({ socket, connection, reply }) {
        socket.write(reply);
        if (connection === 1) socket.write('+more\r\n');
      },
    });
    const opened = store(url);
    expect(await opened.has(id(1))).toBe(false);
    expect(await opened.has(id(2))).toBe(false);
    expect(connections()).toBe(2);
  });
});

describe('listing', () => {
  test('follows the cursor of a 0-db, and leaves out keys that are no blocks', async () => {
    const { url } = await serveZdb();
    const opened = store(url);
    await Promise.all(Array.from({ length: 7 }, (_, n) => opened.put(id(n), blob)));
    const foreign = connect(Number(new URL(url).port), '127.0.0.1');
    foreign.write(Buffer.from('*3\r\n$3\r\nSET\r\n$2\r\n\xab\xcd\r\n$4\r\nblob\r\n', 'latin1'));
    await once(foreign, 'data');
    foreign.destroy();
    expect(await idsOf(opened)).toEqual(Array.from({ length: 7 }, (_, n) => id(n)));
  });

  test('is not among the capabilities of a server that turns out to have no SCAN', async () => {
    const { url } = await serveZdb({ respond: ({ socket }) => socket.write('-Command not supported\r\n') });
    const opened = store(url);
    await expect(idsOf(opened)).rejects.toMatchObject({ kind: 'denied' });
    expect(opened.capabilities).toEqual({ write: true, list: false, delete: true });
  });
});

describe('a Redis', () => {
  test('lists thousands of blocks, each once', async () => {
    const opened = store(`zdb://${await startRedis()}`);
    const ids = Array.from({ length: 3000 }, (_, n) => id(n));
    await Promise.all(ids.map((id) => opened.put(id, blob)));
    expect(await idsOf(opened)).toEqual(ids);
  });

  test('with a password wants it', async () => {
    const url = await startRedisPort(['requirepass s3cret']);
    const opened = store(url.replace('//', '//:s3cret@'));
    await opened.put(id(1), blob);
    expect(await store(`${url.replace('//', '//:s3cret@')}/0`).get(id(1))).toEqual(blob);
    expect(await store(`${url.replace('//', '//default:s3cret@')}/1`).has(id(1))).toBe(false);
    for (const credentials of ['', ':wr0ng@'])
      await expect(store(url.replace('//', `//${credentials}`)).get(id(1))).rejects.toMatchObject({
        kind: 'denied',
      });
  });
});

/** A Redis behind a port of loopback, for credentials have no place in the address of a socket. */
async function startRedisPort(settings: readonly string[]): Promise<string> {
  const path = await startRedis(settings);
  const server = createServer((client) => {
    const redis = connect(path);
    client.on('error', () => redis.destroy()).pipe(redis);
    redis.on('error', () => client.destroy()).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `zdb://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
