import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchManifest } from './fetch-manifest.ts';

let directory: string;
let server: Server;
let answer: RequestListener;
let url: URL;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fetch-'));
  server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/manifests/m.fl`);
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(directory, { recursive: true });
});

/** Fetches with a clock that only sleeping moves. */
async function fetchWith(options: { patience: number; maxSize?: number }) {
  const notes: string[] = [];
  const pauses: number[] = [];
  const clock = {
    now: () => pauses.reduce((sum, pause) => sum + pause, 0),
    sleep: async (milliseconds: number) => void pauses.push(milliseconds),
  };
  const file = join(directory, 'm.fl');
  const result = fetchManifest(url, file, { ...options, note: (text) => notes.push(text), clock });
  const error = await result.then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  return { error, notes, pauses, file };
}

describe('a manifest', () => {
  it('is fetched whole', async () => {
    answer = (request, response) => response.end(`content of ${request.url}`);
    const { error, notes, file } = await fetchWith({ patience: 10 });
    expect(error).toBeUndefined();
    expect(notes).toEqual([]);
    expect(await readFile(file, 'utf8')).toBe('content of /manifests/m.fl');
  });

  it('is waited for with growing pauses while its server does not have it, and says so', async () => {
    let requests = 0;
    answer = (_, response) => {
      requests++;
      if (requests < 7) response.writeHead(requests % 2 ? 404 : 503).end();
      else response.end('late');
    };
    const { error, notes, pauses, file } = await fetchWith({ patience: 60 });
    expect(error).toBeUndefined();
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
    expect(notes[0]).toBe(`${url}: the server answers 404; next try in 0.5 s, the last in 60 s`);
    expect(await readFile(file, 'utf8')).toBe('late');
  });

  it('that never comes ends in the last reason when patience ends, not before and not much after', async () => {
    answer = (_, response) => response.writeHead(404).end();
    const { error, pauses } = await fetchWith({ patience: 10 });
    expect(error).toMatchObject({ kind: 'unavailable', message: `${url} did not come within 10 s` });
    expect(error?.cause).toMatchObject({ message: 'the server answers 404' });
    expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBe(10_000);
  });

  it('is asked for once without patience', async () => {
    server.close();
    const { error, pauses } = await fetchWith({ patience: 0 });
    expect(error).toMatchObject({ kind: 'unavailable' });
    expect(pauses).toEqual([]);
  });

  it('that is too large is refused at once, and nothing of it is left', async () => {
    answer = (_, response) => response.end(Buffer.alloc(2000));
    const { error, pauses } = await fetchWith({ patience: 60, maxSize: 1999 });
    expect(error).toMatchObject({ kind: 'hostile' });
    expect(pauses).toEqual([]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('that is cut off is asked for again, and nothing of it is left', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half', () => response.destroy());
    };
    const { error, pauses } = await fetchWith({ patience: 1 });
    expect(error).toMatchObject({ kind: 'unavailable' });
    expect(pauses).toEqual([500, 500]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is asked for with the password of its address, which no note shows', async () => {
    answer = (request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('me:top:secret').toString('base64')}`)
        response.end('for me');
      else response.writeHead(401).end();
    };
    url.username = 'me';
    url.password = 'top:secret';
    const { error } = await fetchWith({ patience: 1 });
    expect(error).toBeUndefined();
    url.password = 'wrong-secret';
    const { error: denied, notes } = await fetchWith({ patience: 1 });
    expect(`${denied?.message}${denied?.cause}${notes.join()}`).not.toContain('secret');
  });
});
