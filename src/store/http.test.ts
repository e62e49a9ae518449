import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HttpStore } from './http.ts';
import { openStore } from './open.ts';
import { storedBlockLimit } from './store.ts';
import { someBlocks } from './test-blocks.ts';
import { testDirectory } from './test-directory.ts';
import { serve, serveDirectory } from './test-server.ts';

const id = `ab${'0'.repeat(62)}`;
const second = `cd${'1'.repeat(62)}`;

test('asks for the sharded path, and keeps its connections for later blocks', async () => {
  const directory = await testDirectory();
  await mkdir(join(directory, 'ab'));
  await writeFile(join(directory, 'ab', id), 'blob');
  const server = await serveDirectory(directory);
  const store = new HttpStore(new URL(`${server.url}/`));
  for (let i = 0; i < 20; i++) expect(Buffer.from(await store.get(id)).toString()).toBe('blob');
  expect(server.requests).toEqual(Array(20).fill(`GET /ab/${id}`));
  expect(server.connections()).toBeLessThanOrEqual(2);
});

test('connections are used again when 200 blocks are asked for 32 at a time', async () => {
  const blocks = someBlocks(200);
  const directory = await testDirectory();
  await Promise.all(blocks.map(({ id, blob }) => writeFile(join(directory, id), blob)));
  const server = await serveDirectory(directory);
  const store = await openStore(`${server.url}?concurrency=32`);
  await Promise.all(blocks.map(({ id }) => store.get(id)));
  // Each of the 32 may find its last connection still busy with the end of an answer that nobody wanted.
  expect(server.connections()).toBeLessThanOrEqual(64);
  const lateLayouts = server.requests.filter((request) => /^GET \/..\//.test(request));
  expect(lateLayouts.length).toBeLessThanOrEqual(32); // before the first answer said that the layout is flat
  expect(server.requests.length).toBe(200 + lateLayouts.length);
});

test('falls back to the flat layout, and asks there first from then on', async () => {
  const directory = await testDirectory();
  await writeFile(join(directory, id), 'one');
  await writeFile(join(directory, second), 'two');
  const server = await serveDirectory(directory);
  const store = new HttpStore(new URL(server.url));
  await store.get(id);
  await store.get(second);
  expect(server.requests).toEqual([`GET /ab/${id}`, `GET /${id}`, `GET /${second}`]);
});

test('keeps the path and the query of its address, and shows neither query nor password', async () => {
  const server = await serve((_, response) => response.end('blob'));
  const url = new URL(`${server.url}/base/dir/?token=secret`);
  url.username = 'user';
  url.password = 'secret';
  const store = new HttpStore(url);
  await store.get(id);
  expect(server.requests).toEqual([`GET /base/dir/ab/${id}?token=secret`]);
  expect(store.address).toContain('/base/dir/');
  expect(store.address).not.toContain('secret');
});

test('sends user and password of the address as basic authentication', async () => {
  let header: string | undefined;
  const { url } = await serve((request, response) => {
    header = request.headers.authorization;
    response.end('blob');
  });
  await new HttpStore(new URL(url.replace('//', '//us%2Fer:p%25w%@'))).get(id);
  expect(header).toBe(`Basic ${Buffer.from('us/er:p%w%').toString('base64')}`);
});

test.each([
  [500, 'unavailable'],
  [503, 'unavailable'],
  [401, 'denied'],
  [403, 'denied'],
])('an answer of %i is %s, not a missing block', async (status, kind) => {
  const { url } = await serve((_, response) => response.writeHead(status).end());
  await expect(new HttpStore(new URL(url)).get(id)).rejects.toMatchObject({ kind });
});

test('a bucket that forbids listing says 403 for the sharded key and still gives the flat one', async () => {
  const { url } = await serve((request, response) =>
    request.url === `/${id}` ? response.end('blob') : response.writeHead(403).end(),
  );
  expect(Buffer.from(await new HttpStore(new URL(url)).get(id)).toString()).toBe('blob');
});

test('a server that never answers, or stops in the middle of a block, is a timeout', async () => {
  const silent = await serve(() => {});
  const stuck = await serve((_, response) =>
    response.writeHead(200, { 'content-length': 100 }).write('half'),
  );
  for (const { url } of [silent, stuck])
    await expect((await openStore(`${url}?timeout=100ms&retries=0`)).get(id)).rejects.toMatchObject({
      kind: 'timeout',
      message: expect.stringContaining(url),
    });
});

test('a server that hangs up, or is not there, is unavailable', async () => {
  const { url } = await serve((_, response) => response.writeHead(200, { 'content-length': 100 }).destroy());
  await expect(new HttpStore(new URL(url)).get(id)).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(new HttpStore(new URL('http://127.0.0.1:1')).get(id)).rejects.toMatchObject({
    kind: 'unavailable',
  });
});

test('an endless answer is cut off', async () => {
  const { url } = await serve((_, response) => {
    const chunk = Buffer.alloc(storedBlockLimit / 4);
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  });
  await expect(new HttpStore(new URL(url)).get(id)).rejects.toMatchObject({ kind: 'corrupt' });
});
