import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpAnswer, HttpPool, httpSend } from './http.ts';

const servers: Server[] = [];

async function serve(listener: RequestListener, onConnection = () => {}): Promise<URL> {
  const server = createServer(listener).on('connection', onConnection);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

const textOf = async (url: URL) => bodyOf(await httpSend(url));

async function bodyOf({ body }: HttpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
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
    await expect(httpSend(url)).rejects.toThrowError(expect.objectContaining({ kind: 'unavailable' }));
  });

  test('hands out a refusal as an answer', async () => {
    const url = await serve((_, response) => response.writeHead(404).end('no'));
    const answer = await httpSend(url);
    answer.discard();
    expect([answer.status, answer.ok]).toEqual([404, false]);
  });

  test('ends with its signal', async () => {
    const url = await serve(() => {});
    await expect(httpSend(url, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
  });

  test('carries a body and headers, and hands out those of the answer', async () => {
    const url = await serve(async (request, response) => {
      const sent = Buffer.concat(await request.toArray());
      response.setHeader(
        'x-seen',
        `${request.method} ${request.headers['x-mark']} ${request.headers['content-length']}`,
      );
      response.end(sent);
    });
    const answer = await httpSend(url, {
      method: 'PUT',
      headers: { 'x-mark': 'm' },
      body: Buffer.from('bytes'),
    });
    expect(answer.headers['x-seen']).toBe('PUT m 5');
    expect(await bodyOf(answer)).toBe('bytes');
  });

  test.each(['PUT', 'DELETE', 'POST'] as const)('does not follow a redirect of a %s', async (method) => {
    const url = await serve((_, response) => response.writeHead(307, { location: '/there' }).end());
    const answer = await httpSend(url, { method });
    answer.discard();
    expect(answer.status).toBe(307);
  });

  test('hands out a redirect when asked to', async () => {
    const url = await serve((_, response) => response.writeHead(301, { location: '/there' }).end());
    const answer = await httpSend(url, { redirects: 'hand-out' });
    answer.discard();
    expect([answer.status, answer.headers.location]).toEqual([301, '/there']);
  });

  test('takes no authorization header along to another server', async () => {
    let seen: string | undefined = 'none yet';
    const target = await serve((request, response) => {
      seen = request.headers.authorization;
      response.end('there');
    });
    const url = await serve((_, response) => response.writeHead(302, { location: target.href }).end());
    await bodyOf(await httpSend(url, { headers: { authorization: 'Bearer secret' } }));
    expect(seen).toBeUndefined();
  });

  test('waits for one of the connections of its pool', async () => {
    let connections = 0;
    const url = await serve(
      (_, response) => response.end('same'),
      () => connections++,
    );
    const pool = new HttpPool({ connections: 2 });
    const asked = Array.from({ length: 20 }, () => httpSend(url, { pool }).then(bodyOf));
    expect(await Promise.all(asked)).toEqual(Array(20).fill('same'));
    expect(connections).toBe(2);
  });
});
