import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closestName, compareBytes, decodeName, encodeName } from './names.ts';

/** Any bytes, most of them near what UTF-8 is made of. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x41, 0xc3, 0xa9, 0xed, 0xa0, 0xf0, 0x9f, 0x98, 0x80, 0xef, 0xbf, 0xbd),
      fc.nat(255),
    ),
  )
  .map((values) => Buffer.from(values));

describe('a name of any bytes', () => {
  test('comes back from its text', () => {
    fc.assert(
      fc.property(bytes, (name) => {
        expect(encodeName(decodeName(name)).equals(name)).toBe(true);
      }),
    );
  });

  test('that is UTF-8 has that text; other bytes are lone surrogates', () => {
    expect(decodeName(Buffer.from('größe \ufffd'))).toBe('größe \ufffd');
    expect(decodeName(Buffer.from('a\xe9b', 'latin1'))).toBe('a\udce9b');
    expect(decodeName(Buffer.from('eda080', 'hex'))).toBe('\udced\udca0\udc80');
  });

  test('keeps its place in the order', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(decodeName(a), decodeName(b)))).toBe(Buffer.compare(a, b));
      }),
    );
  });

  test('has no half of a character', () => {
    for (const text of ['\ud83d', 'a\udc00', '\udc7f'])
      expect(() => encodeName(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }));
  });
});

describe('compareBytes', () => {
  test('orders as the UTF-8 bytes do, for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test('puts U+FFFD before U+1F600, where UTF-16 does the reverse', () => {
    const [low, high] = ['\ufffd', '\u{1f600}'];
    expect(low < high).toBe(false);
    expect(compareBytes(low, high)).toBeLessThan(0);
  });

  test('puts a directory before what is below it', () => {
    expect(['usr/bin', 'usr', 'usr-old'].sort(compareBytes)).toEqual(['usr', 'usr-old', 'usr/bin']);
  });
});

describe('closestName', () => {
  const names = ['kernel_modules', 'kernel_build', 'cleanup'];

  test('finds the name behind a slip of the finger', () => {
    expect(closestName('kernel_modles', names)).toBe('kernel_modules');
    expect(closestName('claenup', names)).toBe('cleanup');
  });

  test('finds nothing when no name is near', () => {
    expect(closestName('bootloader', names)).toBeUndefined();
    expect(closestName('', names)).toBeUndefined();
  });
});
