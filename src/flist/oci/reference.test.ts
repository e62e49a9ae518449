import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatReference, isLoopback, parseReference, registryHost, sameReference } from './reference.ts';

const digest = `sha256:${'ab'.repeat(32)}`;

describe('the name of an image', () => {
  test.each([
    ['redis', 'docker.io/library/redis:latest'],
    ['redis:7-alpine', 'docker.io/library/redis:7-alpine'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/redis', 'docker.io/library/redis:latest'],
    ['index.docker.io/team/app:1', 'docker.io/team/app:1'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/team/app:1.0', 'localhost:5000/team/app:1.0'],
    ['host:5000/app', 'host:5000/app:latest'],
    ['Host.example/app', 'host.example/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    ['ghcr.example/a/b__c/d-e.f:v1_x', 'ghcr.example/a/b__c/d-e.f:v1_x'],
    [`redis@${digest}`, `docker.io/library/redis@${digest}`],
    [`redis:7@${digest}`, `docker.io/library/redis:7@${digest}`],
  ])('%s means %s', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full);
    expect(sameReference(text, full)).toBe(true);
  });

  test.each([
    ['', 'no repository'],
    ['Redis', 'lower case'],
    ['host.example/Team/app', 'lower case'],
    ['a//b', 'no repository'],
    ['a/', 'no repository'],
    ['-a', 'no repository'],
    ['a___b', 'no repository'],
    ['app:', 'no tag'],
    ['app:-x', 'no tag'],
    [`app:${'x'.repeat(129)}`, 'no tag'],
    ['app@sha256:short', 'no sha256'],
    [`app@${digest}@${digest}`, 'two digests'],
    ['host..example/app', 'no registry'],
    ['user:secret@host/app', 'no sha256'],
    ['a/../b', 'no repository'],
    [`${'a/'.repeat(200)}b`, 'too long'],
  ])('%j is refused', (text, why) => {
    const refused = expect.objectContaining({ kind: 'usage', message: expect.stringContaining(why) });
    expect(() => parseReference(text)).toThrow(refused);
    expect(sameReference(text, text)).toBe(false);
  });

  test('is not repeated when it may hold a password', () => {
    const refused = expect.not.objectContaining({ message: expect.stringContaining('secret') });
    expect(() => parseReference('user:secret@host/app')).toThrow(refused);
  });

  test('is read or refused, whatever it is, and what was read reads the same again', () => {
    const pieces = fc.constantFrom(
      'a',
      'B',
      '.',
      '-',
      '_',
      '/',
      ':',
      '@',
      '5000',
      'localhost',
      digest,
      '[::1]',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        let full: string;
        try {
          full = formatReference(parseReference(text));
        } catch (error) {
          expect(error).toMatchObject({ kind: 'usage' });
          return;
        }
        expect(formatReference(parseReference(full))).toBe(full);
      }),
      { numRuns: 1000 },
    );
  });
});

test('a registry is asked at its own host, Docker Hub at another', () => {
  expect(registryHost('host:5000')).toBe('host:5000');
  expect(registryHost('docker.io')).toBe('registry-1.docker.io');
});

test('this machine is known by its names', () => {
  for (const name of [
    'localhost',
    'localhost:5000',
    '127.0.0.1',
    '127.1.2.3:80',
    '[::1]:5000',
    'a.localhost',
  ])
    expect(isLoopback(name), name).toBe(true);
  for (const name of ['127.0.0.1.example', 'localhost.example', '[::2]', '10.0.0.1'])
    expect(isLoopback(name), name).toBe(false);
});
