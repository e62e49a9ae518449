import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRoutes, openStore } from './open.ts';
import { parseRoute, redactedAddress, routeUrl } from './route.ts';
import { testDirectory } from './test-directory.ts';

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
  's3://user:secret@h:9000/b',
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
