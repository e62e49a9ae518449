import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { type IndexEntry, readModuleIndex, writeModuleIndex } from './module-index-trie.ts';

const ascii = fc.integer({ min: 1, max: 127 }).map((code) => String.fromCharCode(code));
const text = fc.string({ unit: ascii, maxLength: 12 });
const key = fc.oneof(text, fc.stringMatching(/^[ab]{0,6}$/), fc.stringMatching(/^pci:v0000[0-9A-F]{1,4}\*$/));
const entries = fc.array(fc.record({ key, value: text, priority: fc.nat({ max: 5 }) }), { maxLength: 60 });

/** The order in which lookups see entries: equal ones last in, first out. */
function inOrder(given: readonly IndexEntry[]): IndexEntry[] {
  const byKey = (a: IndexEntry, b: IndexEntry) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  return given.toReversed().sort((a, b) => byKey(a, b) || a.priority - b.priority);
}

describe('a module index', () => {
  test('gives back every entry, sorted', () => {
    fc.assert(
      fc.property(entries, (given) => {
        expect(readModuleIndex(writeModuleIndex(given))).toEqual(inOrder(given));
      }),
    );
  });

  test('has the documented bytes', () => {
    const bytes = writeModuleIndex([
      { key: 'fuse', value: 'a', priority: 1 },
      { key: 'fb', value: 'b', priority: 2 },
    ]);
    const expected = [
      ['b007f457', '00020001', '20000075'], // header; the root is at 0x75 and has children
      ['00000001', '00000002', '6200'], // 0x0c, key "fb": one value, priority 2, "b"
      ['736500', '00000001', '00000001', '6100'], // 0x16, key "fuse": prefix "se", one value, priority 1, "a"
      ['6275', '4000000c', '00000000'.repeat(18), 'c0000016'], // 0x23, "f": children "b" to "u"
      ['6666', '20000023'], // 0x75, the root: child "f"
    ];
    expect(Buffer.from(bytes).toString('hex')).toBe(expected.flat().join(''));
  });

  test('refuses what its format cannot hold', () => {
    const write = (wrong: string) => () => writeModuleIndex([{ key: wrong, value: '', priority: 0 }]);
    expect(write('übel')).toThrow(/cannot hold "übel"/);
    expect(write('nul\0nul')).toThrow(Failure);
    expect(write('x'.repeat(5000))).toThrow(Failure);
  });

  test('holds thousands of keys that begin like each other', () => {
    const given = Array.from({ length: 4000 }, (_, length) => ({
      key: 'a'.repeat(length),
      value: '',
      priority: 0,
    }));
    expect(readModuleIndex(writeModuleIndex(given))).toHaveLength(4000);
  });

  test('that is damaged ends in a failure, never in another error', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(entries, changes, fc.nat({ max: 4000 }), (given, damage, end) => {
        const bytes = writeModuleIndex(given);
        for (const [place, value] of damage) bytes[place % bytes.length] = value;
        try {
          readModuleIndex(bytes.subarray(0, end));
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('that points back at itself is refused', () => {
    const bytes = Buffer.from(writeModuleIndex([{ key: 'a', value: '', priority: 0 }]));
    const root = bytes.readUInt32BE(8) & 0x0fffffff;
    bytes.writeUInt32BE(bytes.readUInt32BE(8), root + 2);
    expect(() => readModuleIndex(bytes, 'modules.dep.bin')).toThrow(
      /modules\.dep\.bin is not a module index/,
    );
  });
});
