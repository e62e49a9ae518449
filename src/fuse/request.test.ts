import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isResent, parseHeader, parseRequest } from './request.ts';

// Made with a C compiler from the structures of linux/fuse.h.
const read =
  '500000000f00000002000000000000802a00000000000000e8030000e80300004d00000000000000' +
  '01000000000000000010000001000000000002000000000009000000000000000080000000000000';
const lookup = '2e000000010000000400000000000000010000000000000000000000000000004d0000000000000068656c6c6f00';
const lookupWithExtension =
  '3e000000010000000400000000000000010000000000000000000000000000004d0000000200000068656c6c6f0000000000000000000000000000000000';
const init = `680000001a00000002000000000000000000000000000000000000000000000000000000000000000700000026000000000002 00fbffff73${'00'.repeat(48)}`;

const init31 =
  '380000001a00000006000000000000000000000000000000e8030000e90300004d00000000000000070000001f00000000000200' +
  'fbffff03';
const init45 =
  '680000001a00000006000000000000000000000000000000e8030000e90300004d00000000000000070000002d00000000000200' +
  'fbffff73fd0500000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000';
const open =
  '300000000e00000006000000000000002a00000000000000e8030000e90300004d000000000000000080000000000000';
const release =
  '400000001200000006000000000000002a00000000000000e8030000e90300004d00000000000000000000000000000000800000' +
  '000000000900000000000000';
const getxattr =
  '440000001600000006000000000000002a00000000000000e8030000e90300004d00000000000000400000000000000073656375' +
  '726974792e6361706162696c69747900';
const listxattr =
  '300000001700000006000000000000002a00000000000000e8030000e90300004d000000000000004000000000000000';
const lseek =
  '400000002e00000006000000000000002a00000000000000e8030000e90300004d00000000000000000000000000000000100000' +
  '010000000300000000000000';
const statx =
  '400000003400000006000000000000002a00000000000000e8030000e90300004d00000000000000000000000000000000000000' +
  '0000000000000000ff0f0000';
const interrupt =
  '300000002400000006000000000000000000000000000000e8030000e90300004d000000000000000400000000000080';
const forget =
  '300000000200000006000000000000002a00000000000000e8030000e90300004d000000000000000300000000000000';
const batchForget =
  '500000002a00000006000000000000000000000000000000e8030000e90300004d0000000000000002000000000000002a000000' +
  '00000000010000000000000001000000010000000200000000000000';

const withOpcode = (hex: string, code: string) => `${hex.slice(0, 8)}${code}${hex.slice(10)}`;
const withWhence = (code: string) => `${lseek.slice(0, 112)}${code}${lseek.slice(114)}`;

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

test('an INIT gives version, readahead and flags, of an old kernel and of a new one', () => {
  const common = { kind: 'init', major: 7, maxReadahead: 131072 };
  expect(parse(init).request).toEqual({ ...common, minor: 38, flags: 0x73fffffb, flags2: 0 });
  expect(parse(init31).request).toEqual({ ...common, minor: 31, flags: 0x03fffffb, flags2: 0 });
  expect(parse(init45).request).toEqual({ ...common, minor: 45, flags: 0x73fffffb, flags2: 0x5fd });
});

test.each([
  ['OPEN', open, { kind: 'open', flags: 0x8000 }],
  ['OPENDIR', withOpcode(open, '1b'), { kind: 'opendir', flags: 0x8000 }],
  ['RELEASE', release, { kind: 'release' }],
  ['RELEASEDIR', withOpcode(release, '1d'), { kind: 'releasedir' }],
  ['GETXATTR', getxattr, { kind: 'getxattr', name: Buffer.from('security.capability'), size: 64 }],
  ['LISTXATTR', listxattr, { kind: 'listxattr', size: 64 }],
  ['LSEEK to data', lseek, { kind: 'lseek', offset: 2 ** 32 + 4096, wanted: 'data' }],
  ['LSEEK to a hole', withWhence('04'), { kind: 'lseek', offset: 2 ** 32 + 4096, wanted: 'hole' }],
  ['STATX', statx, { kind: 'statx', mask: 0xfff }],
  ['INTERRUPT', interrupt, { kind: 'interrupt', unique: 0x8000000000000004n }],
  ['FORGET', forget, { kind: 'forget', forgets: [{ node: 42, lookups: 3 }] }],
  [
    'BATCH_FORGET',
    batchForget,
    {
      kind: 'forget',
      forgets: [
        { node: 42, lookups: 1 },
        { node: 2 ** 32 + 1, lookups: 2 },
      ],
    },
  ],
])('a request has the layout of linux/fuse.h: %s', (_, hex, request) => {
  expect(parse(hex).request).toEqual(request);
});

const corpus = join(import.meta.dirname, '../../test/fuzz/corpus/fuse');

test.each(readdirSync(corpus))('a request of a kernel is what its file is named after: %s', (file) => {
  const bytes = readFileSync(join(corpus, file));
  expect(parseRequest(parseHeader(bytes)!, bytes)?.kind).toBe(file.split('.')[0]);
});

test('an operation that changes something is told from one that is unknown', () => {
  const bare = (code: string) => parse(`28000000${code}000000${'00'.repeat(32)}`).request;
  expect(bare('09')).toEqual({ kind: 'modify' }); // MKDIR
  expect(bare('35')).toEqual({ kind: 'modify' }); // COPY_FILE_RANGE_64
  expect(bare('19')).toEqual({ kind: 'unsupported' }); // FLUSH
  expect(bare('ff')).toEqual({ kind: 'unsupported' });
});

test('a request that is sent again to a server that took over is known by its highest bit', () => {
  expect(isResent(parse(read).header)).toBe(true);
  expect(isResent(parse(lookup).header)).toBe(false);
});

test.each([
  ['a READ cut short', `4f${read.slice(2, -2)}`],
  ['a length that lies', `51${read.slice(2)}`],
  ['a READ of 4 GiB', `${read.slice(0, 112)}ffffffff${read.slice(120)}`],
  ['a name without its end', `2d${lookup.slice(2, -2)}`],
  ['an empty name', `29${lookup.slice(2, 80)}00`],
  ['an attribute without a name', `31${getxattr.slice(2, 96)}00`],
  ['a GETXATTR cut short', `2c${getxattr.slice(2, 88)}`],
  ['an LSEEK to somewhere else', withWhence('00')],
  ['an LSEEK cut short', `3f${lseek.slice(2, -2)}`],
  ['an OPEN cut short', `2f${open.slice(2, -2)}`],
  ['a STATX cut short', `3f${statx.slice(2, -2)}`],
  ['an INTERRUPT cut short', `2f${interrupt.slice(2, -2)}`],
  ['a FORGET cut short', `2f${forget.slice(2, -2)}`],
  ['a BATCH_FORGET with fewer nodes than it says', `40${batchForget.slice(2, -32)}`],
  ['a LISTXATTR cut short', `2f${listxattr.slice(2, -2)}`],
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
