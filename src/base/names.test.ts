import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { closestName, compareBytes } from './names.ts';

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
