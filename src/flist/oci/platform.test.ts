import { describe, expect, test } from 'vitest';
import { bestFor, formatPlatform, machinePlatform, parsePlatform, runsOn } from './platform.ts';

const of = (...names: string[]) => names.map((name) => ({ name, platform: parsePlatform(name) }));
const best = (wanted: string, ...names: string[]) => bestFor(parsePlatform(wanted), of(...names))?.name;

describe('a platform', () => {
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/ppc64el', 'linux/ppc64le'],
  ])('%s is %s', (text, normal) => expect(formatPlatform(parsePlatform(text))).toBe(normal));

  test.each([
    'constructor',
    '__proto__',
    'toString',
  ])('may be called %s, which means something to JavaScript', (architecture) => {
    expect(formatPlatform({ os: 'linux', architecture })).toBe(`linux/${architecture}`);
    expect(runsOn(parsePlatform('linux/amd64'), { os: 'linux', architecture, variant: 'v1' })).toBe(false);
  });

  test.each(['', 'linux/', 'linux/a/b/c', 'linux/amd 64'])('%j is none', (text) =>
    expect(() => parsePlatform(text)).toThrow(expect.objectContaining({ kind: 'usage' })));

  test('of a machine is called as Go calls it', () => {
    expect(
      ['x64', 'arm64', 'ppc64', 's390x', 'riscv64', 'ia32'].map(machinePlatform).map(formatPlatform),
    ).toEqual(['linux/amd64', 'linux/arm64', 'linux/ppc64le', 'linux/s390x', 'linux/riscv64', 'linux/386']);
  });
});

describe('of several images the one is taken', () => {
  test('that is for the platform', () => {
    expect(best('linux/arm64', 'linux/amd64', 'linux/arm64', 'windows/arm64')).toBe('linux/arm64');
    expect(best('linux/arm64', 'linux/amd64', 'linux/arm64/v8')).toBe('linux/arm64/v8');
    expect(best('linux/s390x', 'linux/amd64')).toBeUndefined();
  });

  test('of the highest variant that runs there', () => {
    expect(best('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8')).toBe('linux/arm/v6');
    expect(best('linux/arm', 'linux/arm/v5', 'linux/arm/v7')).toBe('linux/arm/v7');
    expect(best('linux/arm/v6', 'linux/arm/v7')).toBeUndefined();
    expect(best('linux/amd64', 'linux/amd64/v3', 'linux/amd64')).toBe('linux/amd64');
    expect(best('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4')).toBe('linux/amd64/v2');
    expect(best('linux/arm64/v9', 'linux/arm64')).toBe('linux/arm64');
  });

  test('that comes first, of equal ones', () => {
    const two = [...of('linux/amd64'), ...of('linux/amd64')];
    expect(bestFor(parsePlatform('amd64'), two)).toBe(two[0]);
  });
});

test('an image runs on its own platform and those above it', () => {
  expect(runsOn(parsePlatform('amd64'), parsePlatform('linux/amd64/v2'))).toBe(false);
  expect(runsOn(parsePlatform('linux/amd64/v2'), parsePlatform('amd64'))).toBe(true);
  expect(runsOn(parsePlatform('arm64'), { os: 'linux', architecture: 'aarch64' })).toBe(true);
});
