import { describe, expect, test } from 'vitest';
import { canonicalJson, digestOf, sha256 } from './digest.ts';

test('sha256 gives the digest of the standard (FIPS 180-2, "abc")', () => {
  const digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(sha256('abc')).toBe(digest);
  expect(sha256(Buffer.from('abc'))).toBe(digest);
});

describe('canonicalJson', () => {
  test('is the same whatever the order of the keys, at every depth', () => {
    const one = { b: [{ y: 1, x: null }], a: 'text' };
    const other = { a: 'text', b: [{ x: null, y: 1 }] };
    expect(JSON.stringify(one)).not.toBe(JSON.stringify(other));
    expect(canonicalJson(one)).toBe(canonicalJson(other));
    expect(digestOf(one)).toBe(digestOf(other));
  });

  test('keeps the order of lists', () => {
    expect(canonicalJson([2, 1])).toBe('[2,1]');
  });

  test('leaves out what is undefined', () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });
});
