import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Access, type Hub, startHub } from './hub.ts';

const directory = mkdtempSync(join(tmpdir(), 'zos-hub-'));
const manifests = join(directory, 'flists');
const blocks = join(directory, 'blocks');
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

const manifest = randomBytes(70_000);
const block = randomBytes(300_000);
const [id, flatId] = [`ab${'1'.repeat(62)}`, `cd${'2'.repeat(62)}`];
const accesses: Access[] = [];
let hub: Hub;

beforeAll(async () => {
  mkdirSync(manifests);
  mkdirSync(join(blocks, 'ab'), { recursive: true });
  writeFileSync(join(directory, 'secret.fl'), 'a secret');
  writeFileSync(join(manifests, 'modules-6.1+deb.fl'), manifest);
  writeFileSync(join(manifests, 'empty.fl'), '');
  writeFileSync(join(manifests, 'notes.txt'), 'no manifest');
  symlinkSync(join(directory, 'secret.fl'), join(manifests, 'link.fl'));
  mkdirSync(join(manifests, 'directory.fl'));
  execFileSync('mkfifo', [join(manifests, 'fifo.fl')]);
  writeFileSync(join(blocks, 'ab', id), block);
  writeFileSync(join(blocks, flatId), 'an old block');
  hub = await startHub({ manifests, blocks, onAccess: (access) => accesses.push(access) });
});

afterAll(async () => {
  await hub.close();
  rmSync(directory, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(hub.url + path, { method, headers });
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const digestOf = async (response: Response) => sha256(await bytesOf(response));

/** Sends a request target exactly as it is, which fetch does not. */
function getRaw(target: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: hub.port, path: target }, async (response) => {
      resolve({ status: response.statusCode!, body: await text(response) });
    })
      .on('error', reject)
      .end();
  });
}

describe('a hub', () => {
  it('listens on loopback and is healthy', async () => {
    expect(hub.url).toBe(`http://127.0.0.1:${hub.port}`);
    const response = await get('/health');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: 'ok' });
  });

  it('lists the manifests by name, and nothing else', async () => {
    const list = (await (await get('/manifests/')).json()) as object[];
    expect(list).toEqual([
      { name: 'empty.fl', size: 0, sha256: sha256(Buffer.of()), mtime: expect.stringMatching(/Z$/) },
      {
        name: 'modules-6.1+deb.fl',
        size: 70_000,
        sha256: sha256(manifest),
        mtime: expect.stringMatching(/Z$/),
      },
    ]);
  });

  it('serves a manifest whole, with its digest as its tag', async () => {
    for (const path of ['/manifests/modules-6.1+deb.fl', '/manifests/modules-6.1%2Bdeb.fl']) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('etag')).toBe(`"${sha256(manifest)}"`);
      expect(response.headers.get('cache-control')).toBe('no-cache');
      expect(await digestOf(response)).toBe(sha256(manifest));
    }
    expect(await bytesOf(await get('/manifests/empty.fl'))).toHaveLength(0);
  });

  it('serves the new content after a manifest was replaced', async () => {
    const path = join(manifests, 'changing.fl');
    onTestFinished(() => rmSync(path));
    for (const content of ['one', 'two']) {
      writeFileSync(`${path}.new`, content);
      renameSync(`${path}.new`, path);
      const response = await get('/manifests/changing.fl');
      expect(response.headers.get('etag')).toBe(`"${sha256(Buffer.from(content))}"`);
      expect(await response.text()).toBe(content);
    }
  });

  it('serves blocks under both names, for ever', async () => {
    for (const path of [`/blocks/ab/${id}`, `/blocks/${id}`]) {
      const response = await get(path);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(response.headers.get('etag')).toBe(`"${id}"`);
      expect(await digestOf(response)).toBe(sha256(block));
    }
    expect(await (await get(`/blocks/cd/${flatId}`)).text()).toBe('an old block');
  });

  it('answers a HEAD with the headers of the GET', async () => {
    const response = await get(`/blocks/ab/${id}`, {}, 'HEAD');
    expect(response.headers.get('content-length')).toBe('300000');
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect(await bytesOf(response)).toHaveLength(0);
    expect((await get('/manifests/none.fl', {}, 'HEAD')).status).toBe(404);
  });

  it('answers 304 to one who has the file', async () => {
    const response = await get(`/blocks/ab/${id}`, { 'If-None-Match': `"other", "${id}"` });
    expect(response.status).toBe(304);
    expect(response.headers.get('etag')).toBe(`"${id}"`);
  });

  it('serves the part that is asked for', async () => {
    const response = await get(`/blocks/ab/${id}`, { Range: 'bytes=1000-250000' });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe('bytes 1000-250000/300000');
    expect(await digestOf(response)).toBe(sha256(block.subarray(1000, 250_001)));
  });

  it('serves the whole to one whose part is of another file', async () => {
    const partial = { Range: 'bytes=0-9', 'If-Range': `"${id}"` };
    expect((await get(`/blocks/ab/${id}`, partial)).status).toBe(206);
    expect((await get(`/blocks/ab/${id}`, { ...partial, 'If-Range': '"other"' })).status).toBe(200);
  });

  it('refuses a part beyond the end', async () => {
    const response = await get(`/blocks/ab/${id}`, { Range: 'bytes=300000-' });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */300000');
  });

  it.each([
    'link.fl',
    'directory.fl',
    'fifo.fl',
    'notes.txt',
    'none.fl',
  ])('has no manifest %s', async (name) => {
    expect((await get(`/manifests/${name}`)).status).toBe(404);
  });

  it('has no block that is not there', async () => {
    expect((await get(`/blocks/ab/ab${'0'.repeat(62)}`)).status).toBe(404);
  });

  it('answers 405 to anything but GET and HEAD, and reads no body', async () => {
    const response = await fetch(`${hub.url}/manifests/new.fl`, {
      method: 'PUT',
      body: Buffer.alloc(1 << 20),
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  it('gives no file away that is not its own, whatever the path', async () => {
    const piece = fc.constantFrom(
      '/',
      '..',
      '%2e%2e',
      '%2F',
      'secret.fl',
      'manifests',
      'blocks',
      'flists',
      'link.fl',
      '%00',
    );
    const target = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('', '/manifests', '/blocks'), target, async (start, rest) => {
        const { body } = await getRaw(start + rest);
        expect(body).not.toContain('a secret');
      }),
      { numRuns: 200 },
    );
  });

  it('keeps a connection for the next request', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const ports: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => {
        request({ host: '127.0.0.1', port: hub.port, path: `/blocks/ab/${id}`, agent }, (response) => {
          ports.push(response.socket.localPort);
          response.on('end', resolve).resume();
        }).end();
      });
    }
    expect(new Set(ports).size).toBe(1);
  });

  it('tells of every request what it served', async () => {
    const before = hub.traffic();
    accesses.length = 0;
    await bytesOf(await get(`/blocks/ab/${id}`, { Range: 'bytes=0-9' }));
    await get(`/blocks/ab/${id}`, {}, 'HEAD');
    await vi.waitUntil(() => accesses.length === 2);
    expect(accesses).toMatchObject([
      { method: 'GET', target: `/blocks/ab/${id}`, status: 206, bytes: 10, complete: true },
      { method: 'HEAD', target: `/blocks/ab/${id}`, status: 200, bytes: 0, complete: true },
    ]);
    expect(hub.traffic()).toEqual({ requests: before.requests + 2, bytes: before.bytes + 10 });
  });

  it('goes on after a client that went away', async () => {
    accesses.length = 0;
    const large = join(blocks, 'ab', `ab${'3'.repeat(62)}`);
    writeFileSync(large, Buffer.alloc(64 << 20));
    onTestFinished(() => rmSync(large));
    const socket = connect(hub.port, '127.0.0.1');
    socket.write(`GET /blocks/ab${'3'.repeat(62)} HTTP/1.1\r\nHost: hub\r\n\r\n`);
    socket.once('data', () => socket.destroy());
    await vi.waitUntil(() => accesses.length === 1);
    expect(accesses[0]).toMatchObject({ complete: false, bytes: 0 });
    expect((await get('/health')).status).toBe(200);
  });

  it('is not stopped by a request that is none', async () => {
    const socket = connect(hub.port, '127.0.0.1');
    socket.end('no http at all\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
    expect((await get('/health')).status).toBe(200);
  });
});

describe('starting and closing a hub', () => {
  it('fails with a hint when the directories are not there', async () => {
    const missing = startHub({ manifests: join(directory, 'none'), blocks });
    await expect(missing).rejects.toMatchObject({ kind: 'not-found', hint: expect.any(String) });
  });

  it('fails with a hint when the port is taken', async () => {
    const second = startHub({ manifests, blocks, listen: { host: '127.0.0.1', port: hub.port } });
    await expect(second).rejects.toMatchObject({ kind: 'conflict', hint: expect.any(String) });
  });

  it('ends idle connections and those that never finish', async () => {
    const other = await startHub({ manifests, blocks });
    const idle = connect(other.port, '127.0.0.1');
    const stalled = connect(other.port, '127.0.0.1');
    stalled.write(`GET /blocks/ab/${id} HTTP/1.1\r\nHost: hub\r\n`);
    const ended = [idle, stalled].map(
      (socket) =>
        new Promise((resolve) =>
          socket
            .on('error', () => {})
            .once('close', resolve)
            .resume(),
        ),
    );
    await (await fetch(`${other.url}/health`)).text();
    await Promise.all([other.close(), other.close()]);
    await Promise.all(ended);
    await expect(fetch(`${other.url}/health`)).rejects.toThrow();
  });

  it('lets an answer under way end', async () => {
    const other = await startHub({ manifests, blocks });
    const response = await fetch(`${other.url}/blocks/ab/${id}`);
    const closed = other.close();
    expect(await digestOf(response)).toBe(sha256(block));
    await closed;
  });
});
