import { expect, test } from 'vitest';
import type { HttpAnswer } from '../../base/http.ts';
import { RegistryAuth } from './registry-auth.ts';

const login = { credentials: { kind: 'password', username: 'me', password: 'secret' } } as const;
const tokenAnswer = (): HttpAnswer => ({
  status: 200,
  ok: true,
  headers: {},
  body: ReadableStream.from([Buffer.from('{"token":"t"}')]),
  discard() {},
});

test.each([
  ['https://registry.example', 'https://auth.example/token', true],
  ['https://registry.example', '/token', true],
  ['https://registry.example', 'http://127.0.0.1:1/token', true],
  ['https://registry.example', 'http://auth.example/token', false],
  ['http://registry.example', 'http://auth.example/token', true],
])('a registry at %s may send credentials to %s: %s', async (registry, realm, isSafe) => {
  const asked: string[] = [];
  const auth = new RegistryAuth(new URL(`${registry}/v2/app/`), 'app', login, async (url) => {
    asked.push(url.href);
    return tokenAnswer();
  });
  const renewal = auth.renew(undefined, `Bearer realm="${realm}",service="s"`);
  if (isSafe) await renewal;
  else
    await expect(renewal).rejects.toMatchObject({
      kind: 'hostile',
      message: expect.stringContaining('in the clear'),
    });
  expect(auth.header).toBe(isSafe ? 'Bearer t' : undefined);
  expect(asked).toHaveLength(isSafe ? 1 : 0);
  for (const url of asked) expect(url).not.toContain('secret');
});
