import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePax,
  decodeTarHeader,
  encodePax,
  encodeTarHeader,
  tarBlockSize,
  tarNumberLimits,
} from './tar.ts';

const below = (limit: number) => fc.integer({ min: 0, max: limit - 1 });
const nameBytes = fc
  .uint8Array({ max: 100, maxLength: 100 })
  .map((bytes) => bytes.map((byte) => byte + 0x30));

const headerArbitrary = fc.record({
  name: nameBytes,
  mode: below(0o10000),
  uid: below(tarNumberLimits.uid),
  gid: below(tarNumberLimits.gid),
  size: below(tarNumberLimits.size),
  mtime: below(tarNumberLimits.mtime),
  type: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', 'x'),
  linkName: nameBytes,
  major: fc.constant(0),
  minor: fc.constant(0),
});

const plainHeader = {
  name: Buffer.from('file'),
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  type: '0',
  linkName: new Uint8Array(),
  major: 0,
  minor: 0,
};

/** A header block changed at one place, its checksum made right again. */
function changed(offset: number, bytes: number[]): Uint8Array {
  const block = Buffer.from(encodeTarHeader(plainHeader));
  block.set(bytes, offset);
  block.fill(' ', 148, 156);
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return block;
}

describe('a tar header', () => {
  test('comes back as it was, for any values that fit', () => {
    fc.assert(
      fc.property(headerArbitrary, (header) => {
        const decoded = decodeTarHeader(encodeTarHeader(header))!;
        expect({ ...decoded, name: [...decoded.name], linkName: [...decoded.linkName] }).toEqual({
          ...header,
          name: [...header.name],
          linkName: [...header.linkName],
        });
      }),
    );
  });

  test('is refused when a value does not fit', () => {
    expect(() => encodeTarHeader({ ...plainHeader, uid: 8 ** 7 })).toThrow('file: its uid does not fit');
    expect(() => encodeTarHeader({ ...plainHeader, mtime: -1 })).toThrow('its mtime does not fit');
    expect(() => encodeTarHeader({ ...plainHeader, linkName: Buffer.alloc(101, 'x') })).toThrow(
      'link target',
    );
  });

  test('may have numbers in base 256', () => {
    expect(decodeTarHeader(changed(124, [0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1]))!.size).toBe(2 ** 33 + 1);
    expect(decodeTarHeader(changed(136, Array(12).fill(0xff)))!.mtime).toBe(-1);
  });

  test('is refused with numbers that are none, negative or beyond all bounds', () => {
    expect(() => decodeTarHeader(changed(124, [0x39]))).toThrow('wrong number');
    expect(() => decodeTarHeader(changed(124, Array(12).fill(0xff)))).toThrow('negative number');
    expect(() => decodeTarHeader(changed(124, Array(12).fill(0xbf)))).toThrow('wrong number');
  });

  test('shows any changed byte by its checksum', () => {
    fc.assert(
      fc.property(fc.nat(tarBlockSize - 1), fc.integer({ min: 1, max: 255 }), (offset, flip) => {
        fc.pre(offset < 148 || offset >= 156);
        const block = Buffer.from(encodeTarHeader(plainHeader));
        block[offset]! ^= flip;
        expect(() => decodeTarHeader(block)).toThrow('checksum');
      }),
    );
  });

  test('of zeros is the end', () => {
    expect(decodeTarHeader(new Uint8Array(tarBlockSize))).toBeUndefined();
  });
});

describe('pax records', () => {
  const key = fc.string({ minLength: 1, maxLength: 120 }).filter((text) => !text.includes('='));

  test('come back as they were, whatever bytes the values hold', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, fc.uint8Array({ maxLength: 1100 })), { selector: ([k]) => k }),
        (records) => {
          const back = [...decodePax(encodePax(records))].map(([k, value]) => [k, [...value]]);
          expect(back).toEqual(records.map(([k, value]) => [k, [...value]]));
        },
      ),
    );
  });

  test.each([
    'x',
    '5',
    '6 a=b',
    '7 a=b\n',
    '4 a=b\n',
    '6 ab \n',
    '-6 a=b\n',
    '99999999999 a=b\n',
  ])('are refused as %j', (text) => {
    expect(() => decodePax(Buffer.from(text))).toThrow('wrong record');
  });
});
