import { describe, expect, test } from 'vitest';
import { Failure } from '../../base/errors.ts';
import type { Credentials } from './credentials.ts';
import { digestOf } from './digest.ts';
import { archive, json, type MadeImage, makeImage, member } from './image.fixture.ts';
import { readImageTree } from './image-tree.ts';
import { parsePlatform } from './platform.ts';
import { parseReference } from './reference.ts';
import { openRegistryImage, type RegistryOptions } from './registry.ts';
import { bodyOf, type StubOptions, stubRegistry, TestServer } from './registry-stub.fixture.ts';

const amd64 = { platform: parsePlatform('linux/amd64') };
const soon = { pause: 1, longestPause: 1 };
const text =
  'some text that does not compress: ' +
  Array.from({ length: 40_000 }, (_, i) => ((i * 7919) % 104729).toString(36)).join('');
const image: MadeImage = await makeImage({
  layers: [archive(member('file', {}, text)), archive(member('other', {}, 'other'))],
});
const layerDigest = [...image.blobs.keys()][0]!;
const password: Credentials = { kind: 'password', username: 'me', password: 'pass:word' };
const basicOf = (user: string) => `Basic ${Buffer.from(user).toString('base64')}`;

async function textFrom(name: string, options: RegistryOptions = {}): Promise<string> {
  const opened = await openRegistryImage(parseReference(name), amd64, { retry: soon, ...options });
  const { tree, close } = await readImageTree(opened);
  const entry = tree.get('file');
  const found = entry?.kind === 'file' ? Buffer.from(await entry.content.read()).toString() : 'no file';
  await close();
  return found;
}

const failing = (name: string, options: RegistryOptions = {}): Promise<Failure> =>
  textFrom(name, options).then(
    () => expect.unreachable('it did not fail'),
    (error) => {
      expect(error).toBeInstanceOf(Failure);
      return error;
    },
  );

describe('an image of a registry', () => {
  test('is pulled by tag and by digest', async () => {
    await using registry = await stubRegistry(image);
    expect(await textFrom(registry.name)).toBe(text);
    expect(await textFrom(`${registry.server.host}/app@${image.manifest.digest}`)).toBe(text);
    const accepted = registry.server.requests[0]!.headers.accept;
    expect(accepted).toContain('application/vnd.oci.image.index.v1+json');
    expect(accepted).toContain('application/vnd.docker.distribution.manifest.v2+json');
  });

  test('says what is not there', async () => {
    await using registry = await stubRegistry(image);
    expect(await failing(`${registry.server.host}/app:2`)).toMatchObject({
      kind: 'not-found',
      message: expect.stringContaining('has no manifests/2'),
      cause: expect.objectContaining({ message: expect.stringContaining('MANIFEST_UNKNOWN: no such thing') }),
    });
    registry.blobs.delete(layerDigest);
    expect(await failing(registry.name)).toMatchObject({ kind: 'not-found' });
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['others', (bytes) => Buffer.from(bytes).fill(0, 100, 200)],
    ['fewer', (bytes) => bytes.subarray(0, -1)],
    ['more', (bytes) => Buffer.concat([bytes, Buffer.alloc(1 << 20)])],
  ])('is refused when its layers are %s than its manifest says', async (_, change) => {
    await using registry = await stubRegistry(image);
    const blob = registry.blobs.get(layerDigest)!;
    registry.blobs.set(layerDigest, { ...blob, bytes: change(blob.bytes) });
    expect(await failing(registry.name)).toMatchObject({ kind: 'corrupt' });
  });

  test('is refused when its manifest is another than was asked for, or than the server says', async () => {
    let answer: { type?: string; digest?: string; bytes: Uint8Array } = { bytes: json({}) };
    await using registry = await stubRegistry(image, {
      intercept: (request, response) => {
        if (!request.url?.includes('/manifests/')) return false;
        response.writeHead(200, {
          ...(answer.digest && { 'docker-content-digest': answer.digest }),
          ...(answer.type && { 'content-type': answer.type }),
        });
        response.end(answer.bytes);
        return true;
      },
    });
    const other = digestOf(Buffer.from('other'));
    const right = image.blobs.get(image.manifest.digest)!;
    answer = { bytes: right };
    expect(await failing(`${registry.server.host}/app@${other}`)).toMatchObject({ kind: 'corrupt' });
    answer = { bytes: right, digest: other };
    expect(await failing(registry.name)).toMatchObject({ kind: 'corrupt' });
    answer = { bytes: right, type: 'application/vnd.oci.image.index.v1+json' };
    expect(await failing(registry.name)).toMatchObject({ kind: 'corrupt' });
    answer = { bytes: Buffer.from('<html>') };
    expect(await failing(registry.name)).toMatchObject({ kind: 'corrupt' });
    answer = { bytes: json({ schemaVersion: 1 }) };
    expect(await failing(registry.name)).toMatchObject({
      kind: 'failed',
      hint: expect.stringContaining('newer'),
    });
    answer = { bytes: Buffer.alloc(5 << 20, ' ') };
    expect(await failing(registry.name)).toMatchObject({ kind: 'hostile' });
  });
});

describe('a registry that does not work well', () => {
  const flaky = (intercept: StubOptions['intercept']) =>
    stubRegistry(image, { ...(intercept && { intercept }) });

  test('is asked again, and a blob that stopped is asked for from there on', async () => {
    const cuts = [1000, 5000, 20_000];
    const ranges: (string | undefined)[] = [];
    await using registry = await flaky((request, response) => {
      if (!request.url?.endsWith(layerDigest)) return false;
      ranges.push(request.headers.range);
      const from = Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const cut = cuts.shift();
      if (cut === undefined) return false;
      const rest = image.blobs.get(layerDigest)!.subarray(from);
      response.writeHead(from > 0 ? 206 : 200, {
        'content-length': rest.length,
        'content-range': `bytes ${from}-${from + rest.length - 1}/*`,
      });
      response.write(rest.subarray(0, cut), () => response.destroy());
      return true;
    });
    expect(await textFrom(registry.name)).toBe(text);
    expect(ranges).toHaveLength(4);
    expect(ranges[0]).toBeUndefined();
    expect(ranges[1]).toMatch(/^bytes=\d+-$/);
  });

  test('may ignore where the rest of a blob begins', async () => {
    let answers = 0;
    await using registry = await flaky((request, response) => {
      if (!request.url?.endsWith(layerDigest)) return false;
      const bytes = image.blobs.get(layerDigest)!;
      response.writeHead(200, { 'content-length': bytes.length });
      if (answers++ === 0) response.write(bytes.subarray(0, 30_000), () => response.destroy());
      else response.end(bytes);
      return true;
    });
    expect(await textFrom(registry.name)).toBe(text);
    expect(answers).toBe(2);
  });

  test.each([500, 503, 429])('and answers %i is given up after some attempts', async (status) => {
    let asked = 0;
    await using registry = await flaky((_, response) => {
      asked++;
      response
        .writeHead(status)
        .end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow\u001b[31m' }] }));
      return true;
    });
    const error = await failing(registry.name, { retry: { ...soon, attempts: 3 } });
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining(`${status}`) });
    expect(error.message).not.toContain('\u001b');
    expect(asked).toBe(3);
  });

  test('and falls silent is given up, before and amid an answer', async () => {
    let silentAt: 'manifests' | 'blobs' = 'manifests';
    await using registry = await flaky((request, response) => {
      if (!request.url?.includes(silentAt)) return false;
      if (silentAt === 'blobs') response.writeHead(200, { 'content-length': 1000 }).write('x');
      return true;
    });
    const options = { idle: 50, retry: { ...soon, attempts: 2 } };
    expect(await failing(registry.name, options)).toMatchObject({ kind: 'timeout' });
    silentAt = 'blobs';
    expect(await failing(registry.name, options)).toMatchObject({ kind: 'timeout' });
  });

  test('and is not there at all is unavailable', async () => {
    const gone = await TestServer.start(() => {});
    const { host } = gone;
    await gone[Symbol.asyncDispose]();
    expect(await failing(`${host}/app:1`, { retry: { ...soon, attempts: 2 } })).toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining(host),
    });
  });
});

describe('redirects', () => {
  test('are followed for blobs, and say nothing there of who asks', async () => {
    await using storage = await TestServer.start(
      (_, response) => void response.end(image.blobs.get(layerDigest)),
    );
    await using registry = await stubRegistry(image, {
      intercept: (request, response) => {
        if (request.headers.authorization !== basicOf('me:pass:word')) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
          return true;
        }
        if (!request.url?.endsWith(layerDigest)) return false;
        response.writeHead(307, { location: `http://other:creds@${storage.host}/signed?secret=1` }).end();
        return true;
      },
    });
    expect(await textFrom(registry.name, { login: { credentials: password } })).toBe(text);
    expect(storage.requests).toHaveLength(1);
    expect(storage.requests[0]!.url).toBe('/signed?secret=1');
    expect(storage.requests[0]!.headers.authorization).toBeUndefined();
  });

  test.each(['ftp://host/x', 'file:///etc/passwd', 'http://'])('to %s are refused', async (location) => {
    await using registry = await stubRegistry(image, {
      intercept: (_, response) => Boolean(response.writeHead(302, { location }).end()),
    });
    expect(await failing(registry.name)).toMatchObject({ kind: 'hostile' });
  });

  test('that go round are given up', async () => {
    await using registry = await stubRegistry(image, {
      intercept: (_, response) => Boolean(response.writeHead(302, { location: '/again' }).end()),
    });
    const error = await failing(registry.name, { retry: { ...soon, attempts: 1 } });
    expect(error).toMatchObject({ kind: 'unavailable', message: expect.stringContaining('redirects') });
  });
});

describe('a registry that wants to know who asks', () => {
  test('gets user name and password when it wants them, and not before', async () => {
    await using registry = await stubRegistry(image, {
      intercept: (request, response) => {
        if (request.headers.authorization === basicOf('me:pass:word')) return false;
        response.writeHead(401, { 'www-authenticate': 'Basic realm="a registry"' }).end();
        return true;
      },
    });
    expect(await textFrom(registry.name, { login: { credentials: password } })).toBe(text);
    expect(registry.server.requests[0]!.headers.authorization).toBeUndefined();
    const wrong = { ...password, password: 'wrong' };
    expect(await failing(registry.name, { login: { credentials: wrong } })).toMatchObject({
      kind: 'denied',
      message: expect.not.stringContaining('wrong'),
    });
    expect(await failing(registry.name)).toMatchObject({
      kind: 'denied',
      hint: expect.stringContaining('--username'),
    });
    expect(await failing(registry.name, { login: { helper: 'desktop' } })).toMatchObject({
      kind: 'denied',
      hint: expect.stringContaining('docker-credential-desktop'),
    });
  });

  /** A registry that takes the tokens of a token server, each so many times. */
  async function withTokens(uses = Number.POSITIVE_INFINITY, scope = 'repository:app:pull') {
    const valid = new Map<string, number>();
    let count = 0;
    const asked: { authorization?: string | undefined; fields: URLSearchParams }[] = [];
    const tokens = await TestServer.start(async (request, response) => {
      const url = new URL(request.url!, 'http://x');
      const fields =
        request.method === 'POST' ? new URLSearchParams(await bodyOf(request)) : url.searchParams;
      const { authorization } = request.headers;
      asked.push({ authorization, fields });
      const isKnown =
        request.method === 'POST'
          ? fields.get('refresh_token') === 'identity'
          : authorization === undefined || authorization === basicOf('me:pass:word');
      if (!isKnown) return void response.writeHead(401).end();
      const token = `token-${++count}`;
      valid.set(token, uses);
      response.end(JSON.stringify({ [count % 2 ? 'token' : 'access_token']: token, expires_in: 60 }));
    });
    const registry = await stubRegistry(image, {
      intercept: (request, response) => {
        const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
        const left = token === 'direct' ? 1 : (valid.get(token) ?? 0);
        valid.set(token, left - 1);
        if (left > 0) return false;
        const realm = `Bearer realm="http://${tokens.host}/token?x=1",service="the registry",scope="${scope}"`;
        response.writeHead(401, { 'www-authenticate': realm }).end();
        return true;
      },
    });
    const dispose = async () => {
      await registry[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
    };
    return { registry, asked, [Symbol.asyncDispose]: dispose };
  }

  test('gets a token that anybody may have', async () => {
    await using servers = await withTokens();
    expect(await textFrom(servers.registry.name)).toBe(text);
    expect(servers.asked).toHaveLength(1);
    const [{ authorization, fields }] = servers.asked as [(typeof servers.asked)[0]];
    expect(authorization).toBeUndefined();
    expect(Object.fromEntries(fields)).toEqual({
      x: '1',
      service: 'the registry',
      scope: 'repository:app:pull',
    });
  });

  test('gets a token for user name and password, which only the token server sees', async () => {
    await using servers = await withTokens();
    expect(await textFrom(servers.registry.name, { login: { credentials: password } })).toBe(text);
    expect(servers.asked[0]).toMatchObject({ authorization: basicOf('me:pass:word') });
    expect(servers.asked[0]!.fields.get('account')).toBe('me');
    for (const { headers } of servers.registry.server.requests)
      expect(headers.authorization ?? 'Bearer').toMatch(/^Bearer/);
    const wrong = { ...password, password: 'wrong' };
    expect(await failing(servers.registry.name, { login: { credentials: wrong } })).toMatchObject({
      kind: 'denied',
    });
  });

  test('gets a token for an identity token', async () => {
    await using servers = await withTokens();
    const login = (token: string) => ({ login: { credentials: { kind: 'identity', token } as const } });
    expect(await textFrom(servers.registry.name, login('identity'))).toBe(text);
    expect(Object.fromEntries(servers.asked[0]!.fields)).toMatchObject({
      grant_type: 'refresh_token',
      service: 'the registry',
      scope: 'repository:app:pull',
    });
    expect(await failing(servers.registry.name, login('other'))).toMatchObject({
      kind: 'denied',
      message: expect.not.stringContaining('other'),
    });
  });

  test('gets a registry token as it is', async () => {
    await using servers = await withTokens();
    const login = (token: string) => ({ login: { credentials: { kind: 'registry', token } as const } });
    expect(await textFrom(servers.registry.name, login('direct'))).toBe(text);
    expect(servers.asked).toHaveLength(0);
    expect(await failing(servers.registry.name, login('other'))).toMatchObject({ kind: 'denied' });
  });

  test('gets new tokens when those it had are over, one for requests at one time', async () => {
    await using servers = await withTokens(2, 'repository:app:pull repository:base:pull'); // manifest and configuration; both layers
    expect(await textFrom(servers.registry.name)).toBe(text);
    expect(servers.asked).toHaveLength(2);
    expect(servers.asked[0]!.fields.getAll('scope')).toEqual(['repository:app:pull', 'repository:base:pull']);
  });

  test.each([
    ['no realm', 'Bearer service="x"', 'corrupt'],
    ['a realm that is no address', 'Bearer realm="ftp://x/"', 'corrupt'],
    ['a scheme that nobody knows', 'Negotiate', 'denied'],
    ['nothing', undefined, 'denied'],
  ])('is not answered when it wants %s', async (_, wanted, kind) => {
    await using registry = await stubRegistry(image, {
      intercept: (_, response) =>
        Boolean(response.writeHead(401, wanted === undefined ? {} : { 'www-authenticate': wanted }).end()),
    });
    expect(await failing(registry.name)).toMatchObject({ kind });
  });

  test.each([
    '{}',
    'no json',
    '{"token":"a\\nb"}',
    '{"token":1}',
  ])('is not believed the token %j', async (body) => {
    await using tokens = await TestServer.start((_, response) => void response.end(body));
    await using registry = await stubRegistry(image, {
      intercept: (_, response) =>
        Boolean(
          response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${tokens.host}/"` }).end(),
        ),
    });
    expect(await failing(registry.name)).toMatchObject({ kind: 'corrupt' });
  });
});
