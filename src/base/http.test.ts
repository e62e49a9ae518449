import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { httpGet } from './http.ts';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

async function textOf(url: URL): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await httpGet(url)).body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('an HTTP request', () => {
  test('uses one connection for requests that follow each other', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.end('same');
    });
    for (let i = 0; i < 3; i++) expect(await textOf(url)).toBe('same');
    expect(ports.size).toBe(1);
  });

  test('is sent again when the server closed the kept connection just then', async () => {
    let answered = 0;
    const url = await serve((request, response) => {
      if (answered === 1 && request.headers['x-seen'] === undefined) {
        answered++;
        request.socket.resetAndDestroy();
        return;
      }
      answered++;
      response.end('fine');
    });
    expect(await textOf(url)).toBe('fine');
    expect(await textOf(url)).toBe('fine');
    expect(answered).toBe(3);
  });

  test('follows redirects, and takes no password along to another server', async () => {
    let seen: string | undefined;
    const target = await serve((request, response) => {
      seen = request.headers.authorization;
      response.end('there');
    });
    const url = await serve((_, response) => response.writeHead(302, { location: target.href }).end());
    [url.username, url.password] = ['user', 'secret'];
    expect(await textOf(url)).toBe('there');
    expect(seen).toBeUndefined();
  });

  test('gives up on redirects that go round', async () => {
    const url = await serve((_, response) => response.writeHead(301, { location: '/' }).end());
    await expect(httpGet(url)).rejects.toThrowError(expect.objectContaining({ kind: 'unavailable' }));
  });

  test('hands out a refusal as an answer', async () => {
    const url = await serve((_, response) => response.writeHead(404).end('no'));
    const answer = await httpGet(url);
    answer.discard();
    expect([answer.status, answer.ok]).toEqual([404, false]);
  });

  test('ends with its signal', async () => {
    const url = await serve(() => {});
    await expect(httpGet(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });
});
