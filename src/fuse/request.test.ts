import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseHeader, parseRequest } from './request.ts';

// Made with a C compiler from the structures of linux/fuse.h.
const read =
  '500000000f00000002000000000000802a00000000000000e8030000e80300004d00000000000000' +
  '01000000000000000010000001000000000002000000000009000000000000000080000000000000';
const lookup = '2e000000010000000400000000000000010000000000000000000000000000004d0000000000000068656c6c6f00';
const lookupWithExtension =
  '3e000000010000000400000000000000010000000000000000000000000000004d0000000200000068656c6c6f0000000000000000000000000000000000';
const init = `680000001a00000002000000000000000000000000000000000000000000000000000000000000000700000026000000000002 00fbffff73${'00'.repeat(48)}`;

function parse(hex: string) {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const header = parseHeader(bytes)!;
  return { header, request: parseRequest(header, bytes) };
}

test('a READ gives its node, 64-bit offset and size, and a unique id above 2^63', () => {
  const { header, request } = parse(read);
  expect(header).toMatchObject({ opcode: 15, unique: 0x8000000000000002n, node: 42 });
  expect(request).toEqual({ kind: 'read', offset: 2 ** 32 + 4096, size: 131072 });
});

test('a LOOKUP gives the bytes of the name, with extension records behind it or without', () => {
  for (const hex of [lookup, lookupWithExtension])
    expect(parse(hex).request).toEqual({ kind: 'lookup', name: Buffer.from('hello') });
});

test('an INIT gives version, readahead and flags', () => {
  expect(parse(init).request).toEqual({
    kind: 'init',
    major: 7,
    minor: 38,
    maxReadahead: 131072,
    flags: 0x73fffffb,
  });
});

test('an operation that changes something is told from one that is unknown', () => {
  const withOpcode = (code: string) => parse(`28000000${code}000000${'00'.repeat(32)}`).request;
  expect(withOpcode('09')).toEqual({ kind: 'modify' }); // MKDIR
  expect(withOpcode('0e')).toEqual({ kind: 'unsupported' }); // OPEN
  expect(withOpcode('ff')).toEqual({ kind: 'unsupported' });
  expect(withOpcode('2a')).toEqual({ kind: 'forget' }); // BATCH_FORGET
});

test.each([
  ['a READ cut short', `4f${read.slice(2, -2)}`],
  ['a length that lies', `51${read.slice(2)}`],
  ['a READ of 4 GiB', `${read.slice(0, 112)}ffffffff${read.slice(120)}`],
  ['a name without its end', `2d${lookup.slice(2, -2)}`],
  ['an empty name', `29${lookup.slice(2, 80)}00`],
  [
    'extensions longer than the request',
    `${lookupWithExtension.slice(0, 72)}ffff${lookupWithExtension.slice(76)}`,
  ],
])('%s is not understood', (_, hex) => {
  expect(parse(hex).request).toBeUndefined();
});

test('fewer bytes than a header are no request', () => {
  expect(parseHeader(Buffer.alloc(39))).toBeUndefined();
});

test('no bytes make the parser throw', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 55 }), fc.uint8Array({ maxLength: 200 }), (code, body) => {
      const bytes = Buffer.concat([Buffer.alloc(40), body]);
      bytes.writeUInt32LE(bytes.length, 0);
      bytes.writeUInt32LE(code, 4);
      const header = parseHeader(bytes)!;
      const request = parseRequest(header, bytes);
      if (request !== undefined) expect(request.kind).toBeTypeOf('string');
    }),
  );
});
