import { join, normalize } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRequestPath } from './request-path.ts';

const id = `ab${'0'.repeat(62)}`;

describe('a request path', () => {
  it.each([
    ['/health', { kind: 'health' }],
    ['/health?probe=1', { kind: 'health' }],
    ['/manifests', { kind: 'manifest-list' }],
    ['/manifests/', { kind: 'manifest-list' }],
    ['/manifests/modules-6.1.0-50-amd64.fl', { kind: 'manifest', name: 'modules-6.1.0-50-amd64.fl' }],
    ['/manifests/a%2Bb~1.fl', { kind: 'manifest', name: 'a+b~1.fl' }],
    ['http://hub:80/manifests/a.fl', { kind: 'manifest', name: 'a.fl' }],
    [`/blocks/ab/${id}`, { kind: 'block', id }],
    [`/blocks/${id}`, { kind: 'block', id }],
  ])('%s names something', (target, resource) => {
    expect(parseRequestPath(target)).toEqual(resource);
  });

  it.each([
    '',
    '*',
    '/',
    '/manifests/../etc/passwd',
    '/manifests/..%2f..%2fetc%2fpasswd.fl',
    '/manifests/.hidden.fl',
    '/manifests/a.txt',
    '/manifests/%zz.fl',
    '/manifests/a%00.fl',
    '/manifests//a.fl',
    '//manifests/a.fl',
    `/blocks/ff/${id}`,
    `/blocks/${id.toUpperCase()}`,
    `/blocks/${id}0`,
    `/blocks/ab/../${id}`,
    'hub:80',
  ])('%s names nothing', (target) => {
    expect(parseRequestPath(target)).toBeUndefined();
  });

  it('never names a file outside its directory', () => {
    const piece = fc.constantFrom(
      '/',
      '..',
      '.',
      '%2e',
      '%2F',
      '%5c',
      '\\',
      '%00',
      'manifests',
      'blocks',
      id,
      'ab',
      '.fl',
      'x',
      '~',
      '%25',
    );
    const target = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`),
    );
    const prefix = fc.constantFrom('', '/manifests/', '/blocks/', '/blocks/ab/');
    fc.assert(
      fc.property(prefix, target, (start, rest) => {
        const resource = parseRequestPath(start + rest);
        if (resource?.kind === 'manifest') {
          const path = join('/shelf', resource.name);
          expect(path).toBe(`/shelf/${resource.name}`);
          expect(normalize(path)).toMatch(/^\/shelf\/[^/]+\.fl$/);
        }
        if (resource?.kind === 'block') expect(resource.id).toMatch(/^[0-9a-f]{64}$/);
      }),
      { numRuns: 2000 },
    );
  });
});
