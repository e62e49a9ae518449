import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type GivenCredentials, loginFor } from './credentials.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const nowhere = { DOCKER_CONFIG: '/proc/none' };

/** What a config.json says of a registry. */
async function configured(registry: string, config: unknown) {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
  const text = typeof config === 'string' ? config : JSON.stringify(config);
  await writeFile(join(directory.path, 'config.json'), text);
  return await loginFor(registry, {}, { DOCKER_CONFIG: directory.path });
}

describe('credentials', () => {
  test.each<[GivenCredentials, object]>([
    [
      { username: 'me', password: 'a:b' },
      { kind: 'password', username: 'me', password: 'a:b' },
    ],
    [{ auth: base64('me:a:b') }, { kind: 'password', username: 'me', password: 'a:b' }],
    [{ auth: base64('<token>:t') }, { kind: 'identity', token: 't' }],
    [
      { identityToken: 't', username: 'me' },
      { kind: 'identity', token: 't' },
    ],
    [
      { registryToken: 't', identityToken: 'u' },
      { kind: 'registry', token: 't' },
    ],
    [{ username: 'me', password: 'x', serverAddress: 'https://host:5000/v2/' }, { kind: 'password' }],
  ])('are those that are given: %j', async (given, credentials) => {
    expect((await loginFor('host:5000', given, nowhere)).credentials).toMatchObject(credentials);
  });

  test('are else those of the environment, then those of Docker', async () => {
    const environment = { ...nowhere, RFS_REGISTRY_USERNAME: 'env', RFS_REGISTRY_PASSWORD: 'x' };
    expect(await loginFor('host', {}, environment)).toMatchObject({ credentials: { username: 'env' } });
    const given = { username: 'me', password: 'x' };
    expect(await loginFor('host', given, environment)).toMatchObject({ credentials: { username: 'me' } });
    expect(
      await loginFor('host', {}, { ...environment, RFS_REGISTRY_USERNAME: '', RFS_REGISTRY_PASSWORD: '' }),
    ).toEqual({});
    expect(await configured('host', { auths: { host: { auth: base64('docker:x') } } })).toMatchObject({
      credentials: { username: 'docker' },
    });
  });

  test.each<[GivenCredentials]>([
    [{ username: 'me' }],
    [{ password: 'secret' }],
    [{ auth: 'secret' }],
    [{ username: 'me', password: 'secret', serverAddress: 'other' }],
  ])('%j are incomplete, or for another registry', async (given) => {
    await expect(loginFor('host', given, nowhere)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.not.stringContaining('secret'),
    });
  });
});

describe("Docker's config.json", () => {
  test.each([
    ['host:5000', 'host:5000'],
    ['https://host:5000', 'host:5000'],
    ['http://HOST:5000/v2/', 'host:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['docker.io', 'docker.io'],
  ])('has under %s what is for %s', async (key, registry) => {
    const auths = { other: { auth: base64('other:x') }, [key]: { auth: base64('me:x') } };
    expect(await configured(registry, { auths })).toMatchObject({ credentials: { username: 'me' } });
  });

  test('may have tokens, or names of credential helpers, or nothing', async () => {
    const auths = { a: { identitytoken: 'i', auth: base64('me:x') }, b: { registrytoken: 'r' }, c: {} };
    const config = { auths, credHelpers: { c: 'cloud' }, credsStore: 'desktop' };
    expect(await configured('a', config)).toEqual({ credentials: { kind: 'identity', token: 'i' } });
    expect(await configured('b', config)).toEqual({ credentials: { kind: 'registry', token: 'r' } });
    expect(await configured('c', config)).toEqual({ helper: 'cloud' });
    expect(await configured('d', config)).toEqual({ helper: 'desktop' });
    expect(await configured('d', {})).toEqual({});
    expect(await configured('evil', { auths: { 'host/evil': { auth: base64('me:x') } } })).toEqual({});
  });

  test.each(['{', '[]', '{"auths":{"a":{"auth":["secret"]}}}'])('that says %s is refused', async (text) => {
    const refused = configured('a', text);
    await expect(refused).rejects.toMatchObject({
      kind: 'config',
      message: expect.stringContaining('config.json'),
    });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('secret') });
  });
});
