import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRequest, RespError, RespReader, type RespValue } from './resp.ts';
import { encodeReply } from './resp-encode.fixture.ts';

const limits = { bulk: 1000, reply: 100_000, values: 1000 };

/** What comes out of a stream, and how it ended. */
function readAll(pieces: readonly Uint8Array[], reader = new RespReader(limits)) {
  const values: RespValue[] = [];
  try {
    for (const piece of pieces) for (const value of reader.read(piece)) values.push(value);
  } catch (failure) {
    return { values, failure };
  }
  return { values, failure: undefined };
}

const readText = (text: string) => readAll([Buffer.from(text)]);

/** The bytes in pieces whose sizes a random test chooses, over and over. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

const line = fc.string({ maxLength: 40 }).map((text) => text.replace(/[\r\n]/g, ' '));
const { value } = fc.letrec<{ value: RespValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    line,
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.constant(null),
    line.map((text) => new RespError(text)),
    fc.array(tie('value'), { maxLength: 5 }),
  ),
}));
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });

test('every value comes out of a stream as it went in, in pieces of any size', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 6 }), sizes, (values, sizes) => {
      const stream = Buffer.concat(values.map(encodeReply));
      expect(readAll(cut(stream, sizes))).toEqual({ values, failure: undefined });
    }),
  );
});

test('a damaged stream ends in whole values or in a typed error', () => {
  const damage = fc.record({
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), sizes, damage, (values, sizes, damage) => {
      const stream = Buffer.concat(values.map(encodeReply));
      const at = damage.at % stream.length;
      stream.set(damage.bytes.subarray(0, stream.length - at), at);
      const { failure } = readAll(cut(damage.cut ? stream.subarray(0, at) : stream, sizes));
      if (failure !== undefined) expect(failure).toMatchObject({ name: 'Failure', kind: 'corrupt' });
    }),
    { numRuns: 500 },
  );
});

test.each<[string, RespValue[]]>([
  ['+OK\r\n', ['OK']],
  ['-ERR no\r\n', [new RespError('ERR no')]],
  [':-9223372036854775808\r\n', [-(2n ** 63n)]],
  ['$5\r\nhello\r\n', [Buffer.from('hello')]],
  ['$0\r\n\r\n', [Buffer.alloc(0)]],
  ['$4\r\n\r\n\r\n\r\n', [Buffer.from('\r\n\r\n')]],
  ['$-1\r\n*-1\r\n*0\r\n', [null, null, []]],
  ['*2\r\n:1\r\n*1\r\n$-1\r\n+next\r\n', [[1n, [null]], 'next']],
])('the stream %j is read', (text, values) => {
  expect(readText(text)).toEqual({ values, failure: undefined });
});

describe('a malformed stream is over after the values before it', () => {
  test.each([
    ['no known type', 'OK\r\n'],
    ['a type of version 3', '_\r\n'],
    ['a line that ends with LF', '+OK\n'],
    ['a line with a lone CR', '+O\rK\r\n'],
    ['a number with letters', ':12x\r\n'],
    ['an empty number', ':\r\n'],
    ['a number of more than 64 bits', ':9223372036854775808\r\n'],
    ['a negative length', '$-2\r\n'],
    ['a length with a fraction', '$1.5\r\nx\r\n'],
    ['a bulk string without its end', '$2\r\nabc\r\n'],
    ['a bulk string beyond the limit', '$1001\r\n'],
    ['a giant bulk string', '$9999999999999999999\r\n'],
    ['a giant array', '*4294967295\r\n'],
    ['too many values in all', `*600\r\n*600\r\n`],
    ['deep nesting', '*1\r\n'.repeat(9)],
    ['a line without end', `+${'x'.repeat(5000)}`],
    ['a reply that is too long', `*900\r\n${`$200\r\n${'x'.repeat(200)}\r\n`.repeat(900)}`],
  ])('%s', (_what, text) => {
    const reader = new RespReader(limits);
    const read = readAll([Buffer.from(`+before\r\n${text}`)], reader);
    expect(read).toMatchObject({ values: ['before'], failure: { name: 'Failure', kind: 'corrupt' } });
    expect(readAll([Buffer.from('+after\r\n')], reader)).toEqual({ values: [], failure: read.failure });
  });
});

test('the limits are those of one reply, not of the stream', () => {
  const reply = encodeReply(Array.from({ length: 400 }, () => Buffer.alloc(100)));
  expect(readAll([reply, reply, reply]).values).toHaveLength(3);
});

test('a request is an array of bulk strings, and its large words are not copied', () => {
  const blob = Buffer.alloc(900, 'blob');
  const pieces = encodeRequest(['SET', Buffer.from([0, 13, 10]), blob]);
  expect(pieces).toContain(blob);
  expect(readAll(pieces).values).toEqual([[Buffer.from('SET'), Buffer.from([0, 13, 10]), blob]]);
});
