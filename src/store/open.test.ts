import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DirStore } from './dir/dir.ts';
import { openRoutes, openStore } from './open.ts';
import { parseRoute, redactedAddress, routeUrl } from './route.ts';
import { blockOf } from './test-blocks.ts';
import { testDirectory } from './test-directory.ts';
import { serve } from './test-server.ts';
import { Meter } from './wrappers/meter.ts';

test.each([
  ['dir:///srv', { start: 0x00, end: 0xff, url: 'dir:///srv' }],
  ['00-7f=dir:///srv', { start: 0x00, end: 0x7f, url: 'dir:///srv' }],
  ['80-FF=https://h/b?c=d', { start: 0x80, end: 0xff, url: 'https://h/b?c=d' }],
  ['0a-0a=http://h', { start: 0x0a, end: 0x0a, url: 'http://h' }],
  ['http://h/?range=00-ff=x', { start: 0x00, end: 0xff, url: 'http://h/?range=00-ff=x' }],
])('the specification %s is a range and a URL', (spec, route) => {
  expect(parseRoute(spec)).toEqual(route);
});

test.each([
  '',
  'srv/blocks',
  '/srv/blocks',
  'ff-00=dir:///srv',
  '0-f=dir:///srv',
  '00-7f=',
])('the specification %j is a usage error', (spec) => {
  expect(() => parseRoute(spec)).toThrow(expect.objectContaining({ kind: 'usage', hint: expect.anything() }));
});

test.each(['dir://srv/blocks', 'dir:srv', 'dir://'])('%s names no absolute directory', async (spec) => {
  await expect(openStore(spec)).rejects.toMatchObject({ kind: 'usage' });
});

test.each([
  'server://http://h',
  'ftp://secret@h',
])('a kind of store that is not supported is refused without its secrets: %s', async (spec) => {
  const failure = await openStore(spec).catch((error) => error);
  expect(failure).toMatchObject({ kind: 'config', hint: expect.stringContaining('dir:///') });
  expect(failure.message + failure.hint).not.toContain('secret');
});

test('a directory is taken as the URL spells it, and opening does not make it', async () => {
  const parent = await testDirectory();
  const store = await openStore(`dir://${parent}/my store`);
  expect(store.address).toBe(`dir://${parent}/my%20store`);
  await expect(stat(join(parent, 'my%20store'))).rejects.toMatchObject({ code: 'ENOENT' });
  await store.put('0'.repeat(64), Buffer.from('blob'));
  expect((await stat(join(parent, 'my%20store'))).isDirectory()).toBe(true);
});

test('a store with a range refuses blocks outside of it', async () => {
  const store = await openStore(`00-0f=dir://${await testDirectory()}`);
  await expect(store.put('f'.repeat(64), Buffer.from('blob'))).rejects.toMatchObject({ kind: 'config' });
});

test('how a store is used does not reach the server', async () => {
  const { id, blob } = blockOf('a block');
  const server = await serve((_, response) => response.end(blob));
  const store = await openStore(`${server.url}/b?sig=a%2Fb&retries=1&timeout=1m&concurrency=2&heal=true`);
  await store.get(id);
  expect(server.requests).toEqual([`GET /b/${id.slice(0, 2)}/${id}?sig=a%2Fb`]);
});

test('a remote store is asked once however many want a block, and again after a failure', async () => {
  const { id, blob } = blockOf('a block');
  let failures = 0;
  const server = await serve((_, response) =>
    failures-- > 0 ? response.writeHead(503).end() : response.end(blob),
  );
  const store = await openStore(server.url);
  const got = await Promise.all(Array.from({ length: 10 }, () => store.get(id)));
  for (const each of got) expect(Buffer.compare(each, blob)).toBe(0);
  expect(server.requests.length).toBe(1);
  failures = 1;
  expect(Buffer.compare(await store.get(id), blob)).toBe(0);
  expect(server.requests.length).toBe(3);
});

test('what a remote store gives is checked', async () => {
  const { id } = blockOf('a block');
  const server = await serve((_, response) => response.end('other bytes'));
  await expect((await openStore(server.url)).get(id)).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(server.url),
  });
  expect(server.requests.length).toBe(1);
});

test('a damaged local replica is passed over, and healed where that is wanted', async () => {
  const { id, blob } = blockOf('a block');
  const [bad, good] = [await testDirectory(), await testDirectory()];
  await new DirStore(bad).put(id, Buffer.from('damage'));
  await new DirStore(good).put(id, blob);
  const notes: string[] = [];
  const routes = [`dir://${bad}?heal=true`, `dir://${good}?concurrency=1`].map(parseRoute);
  // Both are equally near: chance decides which is asked first.
  while (notes.length === 0) {
    const store = await openRoutes(routes, { note: (line) => notes.push(line) });
    expect(Buffer.compare(await store.get(id), blob)).toBe(0);
  }
  expect(notes.at(-1)).toBe(`dir://${bad}: block ${id} is healed`);
  expect(Buffer.compare(await new DirStore(bad).get(id), blob)).toBe(0);
});

test('a meter counts every attempt', async () => {
  const { id, blob } = blockOf('a block');
  const meter = new Meter();
  const directory = await testDirectory();
  const url = `fault+dir://${directory}?fault=put:error:first=2&retries=2`;
  const store = await openRoutes([parseRoute(url)], { meter });
  await store.put(id, blob);
  expect(meter.snapshot().put).toMatchObject({ outcomes: { unavailable: 2, done: 1 }, bytes: blob.length });
  expect(store.address).toBe(`fault+dir://${directory}`);
});

test.each([
  ['dir:///srv/blocks?timeuot=5s', 'timeout'],
  ['dir:///srv/blocks?layout=flat', 'concurrency'],
])('a directory with a parameter that nobody knows is a usage error: %s', async (spec, hint) => {
  await expect(openStore(spec)).rejects.toMatchObject({ kind: 'usage', hint: expect.stringContaining(hint) });
});

test('no routes make a store that holds nothing', async () => {
  const store = await openRoutes([]);
  await expect(store.get('0'.repeat(64))).rejects.toMatchObject({ kind: 'not-found' });
});

test.each([
  ['s3://AK:SK@h:9000/b?region=x', 's3://h:9000/b?region=x'],
  ['s3s://AK:a/b?c#d%2Fe+@h/b', 's3s://h/b'],
  ['s3://AK@h:9000/b', 's3://h:9000/b'],
  ['s3://h:9000/b', 's3://h:9000/b'],
  ['s3://h:9000/b/p@q?style=virtual', 's3://h:9000/b/p@q?style=virtual'],
  ['s3://h/b?sign=no&ca=/etc/ca.pem&token=secret&region=x', 's3://h/b?sign=no&region=x'],
  ['zdb://:pw@hub:9900/ns', 'zdb://hub:9900/ns'],
  ['https://u:p@H:443/a/../b', 'https://h/b'],
  ['https://h/b?sig=secret#secret', 'https://h/b'],
  ['http://H', 'http://h/'],
  ['dir:///a b?x=1', 'dir:///a%20b'],
  ['s3://h:9000/b?timeout=5s&region=x&retries=1', 's3://h:9000/b?region=x'],
  ['https://h/b?concurrency=2', 'https://h/b'],
  ['fault+dir:///srv?fault=get:error&seed=1', 'dir:///srv'],
])('a manifest keeps %s as %s', (url, kept) => {
  expect(routeUrl(url)).toBe(kept);
});

test('a manifest keeps access keys and passwords only when asked to', () => {
  expect(routeUrl('s3://AK:SK@h:9000/b', { keepAccessKey: true })).toBe('s3://AK@h:9000/b');
  expect(routeUrl('s3://AK:SK@h:9000/b', { keepPassword: true })).toBe('s3://AK:SK@h:9000/b');
  expect(routeUrl('https://h/b?sig=x', { keepPassword: true })).toBe('https://h/b?sig=x');
});

test.each([
  ['https://user:secret@h/b?token=secret#secret', 'https://h/b'],
  ['s3://user:sec/ret@h:9000/b', 's3://h:9000/b'],
  ['s3://h:9000/b/p@q', 's3://h:9000/b/p@q'],
  ['no url, secret', 'a store with an unreadable address'],
])('an address for people has no user, no password and no query: %s', (url, shown) => {
  expect(redactedAddress(url)).toBe(shown);
});
