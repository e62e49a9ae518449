import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('what a server asks for', () => {
  test.each([
    ['Basic realm="A registry"', [['basic', { realm: 'A registry' }]]],
    [
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"',
      [
        [
          'bearer',
          { realm: 'https://auth.example/token', service: 'registry', scope: 'repository:a/b:pull,push' },
        ],
      ],
    ],
    ['BEARER Realm=token , Service = "s"', [['bearer', { realm: 'token', service: 's' }]]],
    [
      'Negotiate, Basic realm="a, b=\\"c\\""',
      [
        ['negotiate', {}],
        ['basic', { realm: 'a, b="c"' }],
      ],
    ],
    [
      'Basic realm="x", Bearer realm="y"',
      [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'y' }],
      ],
    ],
    ['', []],
    ['"', []],
    ['Basic realm="open', [['basic', {}]]],
  ])('%s', (header, expected) => {
    if (header.endsWith('open')) expect(read(header)[0]).toEqual(expected[0]);
    else expect(read(header)).toEqual(expected);
  });

  test('is read in time, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', '=', '"', ',', ' ', '\\', 'é')), (parts) => {
        for (const { scheme } of parseChallenges(parts.join(''))) expect(scheme).not.toBe('');
      }),
    );
    expect(parseChallenges(`Bearer ${'a="b",'.repeat(50_000)}`)).toHaveLength(1);
    expect(parseChallenges(`Bearer a="${'\\'.repeat(100_000)}`).length).toBeLessThan(3);
  });
});
