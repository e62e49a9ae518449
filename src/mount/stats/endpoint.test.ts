import { lstat, mkdir, readdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { testDirectory } from '../../store/test-directory.ts';
import { readFigures } from '../top/read-figures.ts';
import { StatsEndpoint } from './endpoint.ts';
import { emptyStatistics, figuresOf } from './test-figures.ts';

async function open(path: string, pid = 4242) {
  const endpoint = await StatsEndpoint.open(path, () => figuresOf(emptyStatistics(), { pid }));
  onTestFinished(() => endpoint.close());
  return endpoint;
}

const socketPath = async () => join(await testDirectory(), 'run/stats.sock');

async function ask(path: string, url: string, method = 'GET') {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    type: string;
    body: string;
  }>();
  request({ socketPath: path, path: url, method, agent: false }, async (response) =>
    resolve({
      status: response.statusCode!,
      type: `${response.headers['content-type']}`,
      body: await text(response),
    }),
  )
    .on('error', reject)
    .end();
  return promise;
}

test('the socket is for its owner, alone in its directory, and gone after the end', async () => {
  const path = await socketPath();
  const endpoint = await open(path);
  expect((await lstat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(path, '..'))).toEqual(['stats.sock']);
  expect((await lstat(join(path, '..'))).mode & 0o777).toBe(0o700);
  await endpoint.close();
  expect(await readdir(join(path, '..'))).toEqual([]);
});

test('it answers with metrics and figures, and with nothing else', async () => {
  const path = await socketPath();
  await open(path);
  const metrics = await ask(path, '/metrics');
  expect(metrics).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
  expect(metrics.body).toContain('flist_mount_info');
  expect(await readFigures(path)).toEqual(figuresOf(emptyStatistics()));
  expect((await ask(path, '/')).status).toBe(404);
  expect((await ask(path, '/metrics', 'POST')).status).toBe(405);
});

test('a successor takes the place, and the end of the predecessor does not take it away', async () => {
  const path = await socketPath();
  const first = await open(path);
  await open(path, 4343);
  await first.close();
  expect(await readFigures(path)).toMatchObject({ pid: 4343 });
});

test('what is no socket stays, and a path that is none is refused', async () => {
  const path = await socketPath();
  await mkdir(join(path, '..'));
  await writeFile(path, 'precious');
  await expect(open(path)).rejects.toMatchObject({
    kind: 'failed',
    hint: expect.stringContaining('--stats'),
  });
  expect((await lstat(path)).size).toBe(8);
  expect(await readdir(join(path, '..'))).toEqual(['stats.sock']);
  await expect(open(join(path, 'x'))).rejects.toMatchObject({ kind: 'failed' });
  await expect(open(`/tmp/${'x'.repeat(200)}`)).rejects.toMatchObject({ kind: 'usage' });
});

test('that nobody answers is said with the place', async () => {
  const path = await socketPath();
  await expect(readFigures(path)).rejects.toMatchObject({
    kind: 'unavailable',
    message: `no mount answers on ${path}`,
  });
});
