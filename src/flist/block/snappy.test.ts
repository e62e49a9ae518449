import * as fc from 'fast-check';
import { compressSync, uncompressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import { Failure } from '../../base/errors.ts';
import { nativeSnappyDecode, type SnappyDecode, snappyDecode } from './snappy.ts';

const limit = 1 << 20;

/** Bytes with repetitions near and far, as files have them. */
const compressible = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.integer({ min: 1, max: 400 })), {
    maxLength: 12,
  })
  .map((runs) => Buffer.concat(runs.map(([bytes, times]) => Buffer.concat(Array(times).fill(bytes)))));

/** The decoded bytes, or the fact that the stream was refused. */
function attempt(decode: () => Uint8Array): string {
  try {
    return Buffer.from(decode()).toString('hex');
  } catch (error) {
    if (error instanceof Failure && error.kind !== 'corrupt') throw error;
    return 'refused';
  }
}

test('decodes what the Rust encoder writes', () => {
  fc.assert(
    fc.property(compressible, (plain) => {
      expect(Buffer.compare(snappyDecode(compressSync(plain), limit), plain)).toBe(0);
    }),
  );
});

test('agrees with the Rust decoder on damaged streams, and refuses what that refuses', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(compressible, damage, fc.nat(), (plain, changes, cut) => {
      const stream = Uint8Array.from(compressSync(plain));
      for (const [at, byte] of changes) stream[at % stream.length] = byte;
      const damaged = cut % 3 === 0 ? stream.subarray(0, cut % stream.length) : stream;
      const ours = attempt(() => snappyDecode(damaged, limit));
      expect(ours).toBe(attempt(() => boundedRust(damaged)));
    }),
    { numRuns: 500 },
  );
});

test('never fails in another way on random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(attempt(() => snappyDecode(bytes, limit))).toBe(attempt(() => boundedRust(bytes)));
    }),
    { numRuns: 2000 },
  );
});

/** The Rust decoder, kept from allocating what a damaged length announces. */
function boundedRust(stream: Uint8Array): Uint8Array {
  const announced = stream.reduce(
    ({ value, done }, byte, i) =>
      done ? { value, done } : { value: value + (byte & 0x7f) * 2 ** (7 * i), done: byte < 0x80 },
    { value: 0, done: false },
  ).value;
  if (announced > limit) throw new Error('too large');
  return uncompressSync(stream) as Buffer;
}

describe.each<[string, SnappyDecode]>([
  ['our', snappyDecode],
  ['the native', (await nativeSnappyDecode())!],
])('for %s decoder a malformed stream is corrupt:', (_, decode) => {
  test.each([
    ['nothing at all', ''],
    ['a length without an end', 'ffffffffffff'],
    ['a length beyond 32 bits', 'ffffffff7f'],
    ['a length and no data', '05'],
    ['a literal that ends early', '051068656c'],
    ['a long literal whose length ends early', '05f4ff'],
    ['a literal longer than announced', '021068656c6c6f'],
    ['a literal of 4 GiB', '05fcffffffff00'],
    ['a copy before any data', '040000'],
    ['a copy with offset zero', '0500610100'],
    ['a copy from before the start', '0800610505'],
    ['a copy longer than announced', '0300610901'],
    ['a copy whose offset ends early', '0800610a01'],
    ['fewer bytes than announced', '0a1068656c6c6f'],
  ])('%s', (_, hex) => {
    expect(() => decode(Buffer.from(hex, 'hex'), limit)).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    );
  });

  test('one that announces more than the limit, before anything is allocated', () => {
    expect(() => decode(Buffer.from('ffffffff0f00', 'hex'), limit)).toThrow(
      expect.objectContaining({ kind: 'corrupt' }),
    );
  });
});

test('back references of every kind, overlapping ones too, are followed', () => {
  const decoded = (hex: string) => Buffer.from(snappyDecode(Buffer.from(hex, 'hex'), limit)).toString();
  expect(decoded('05' + '0061' + '0101')).toBe('aaaaa');
  expect(decoded('06' + '046162' + '0e0200')).toBe('ababab');
  expect(decoded('06' + '046162' + '0f02000000')).toBe('ababab');
});
