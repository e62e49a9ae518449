import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesTag, parseRange } from './range.ts';

describe('a Range header', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=2-', { start: 2, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-99', { start: 0, end: 9 }],
    ['bytes=4-99', { start: 4, end: 9 }],
    ['Bytes= 4-5 ', { start: 4, end: 5 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-4', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=0-1,3-4', 'whole'],
    ['lines=0-1', 'whole'],
    ['bytes=a-b', 'whole'],
    [undefined, 'whole'],
  ])('%s of ten bytes', (header, part) => {
    expect(parseRange(header, 10)).toEqual(part);
  });

  it('never leaves the file', () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat() as fc.Arbitrary<number | ''>, fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
      fc.stringMatching(/^bytes=\d{0,40}-\d{0,40}$/),
    );
    fc.assert(
      fc.property(header, fc.nat(), (text, size) => {
        const part = parseRange(text, size);
        if (typeof part === 'string') return;
        expect(part.start).toBeGreaterThanOrEqual(0);
        expect(part.start).toBeLessThanOrEqual(part.end);
        expect(part.end).toBeLessThan(size);
      }),
    );
  });
});

describe('an If-None-Match header', () => {
  it('names a tag alone, in a list, as a weak one, or any', () => {
    for (const header of ['"a"', '"b", "a"', 'W/"a"', '*']) expect(matchesTag(header, '"a"')).toBe(true);
    for (const header of ['"b"', 'a', '', undefined]) expect(matchesTag(header, '"a"')).toBe(false);
  });
});
