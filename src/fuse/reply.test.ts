import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Attributes,
  DirectoryReply,
  encodeAttributes,
  encodeEntry,
  encodeHeader,
  encodeInit,
  encodeLseek,
  encodeOpen,
  encodeStatfs,
  encodeStatx,
  encodeXattrNames,
  encodeXattrSize,
} from './reply.ts';

const lifetime = 2 ** 31 - 1;

const attributes: Attributes = {
  ino: 0x02334455667788,
  size: 0x1234567890,
  blocks: 77,
  atime: -5,
  mtime: -5,
  ctime: 1700000000,
  atimeNs: 999_999_999,
  mtimeNs: 1,
  ctimeNs: 123_456_789,
  mode: 0o100755,
  nlink: 1,
  uid: 1000,
  gid: 1001,
  rdev: 0xfff00801,
  blksize: 4096,
};

// Made with a C compiler from the structures of linux/fuse.h.
const attributesHex =
  '887766554433020090785634120000004d00000000000000fbfffffffffffffffbffffffffffffff00f1536500000000ffc99a3b' +
  '0100000015cd5b07ed81000001000000e8030000e90300000108f0ff0010000000000000';
const entryHex = `2a000000000000000000000000000000ffffff7f00000000ffffff7f000000000000000000000000${attributesHex}`;
const statfsHex =
  '0a00000000000000000000000000000000000000000000000500000000000000000000000000000000100000ff00000000100000';
const init31Hex =
  '070000001f00000000000200010040000001c0000010000001000000000100000000000000000000000000000000000000000000' +
  '000000000000000000000000';
const init45Hex =
  '070000002d00000000000200010000400001c000001000000100000000010000a000000001000000000000000000000000000000' +
  '000000000000000000000000';
const statxHex =
  'ffffff7f00000000000000000000000000000000000000000000000000000000ff0f000000100000000000000000000001000000' +
  'e8030000e9030000ed810000887766554433020090785634120000004d000000000000000000000000000000fbffffffffffffff' +
  'ffc99a3b0000000000105e5f00000000070000000000000000f153650000000015cd5b0700000000fbffffffffffffff01000000' +
  '000000000800000001ff0f0000000000000000000000000000000000000000000000000000000000000000000000000000000000' +
  '00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000' +
  '00000000000000000000000000000000000000000000000000000000';
const direntHex = '09000000000000000300000000000000050000000800000068656c6c6f000000';

const padded = (hex: string, size: number) => hex.padEnd(size * 2, '0');

test('replies have the layout of linux/fuse.h', () => {
  // 0x0233… is 0x1122334455667788 cut to the 53 bits of a safe integer.
  expect(encodeEntry({ node: 42, attributes }, lifetime).toString('hex')).toBe(entryHex);
  expect(encodeAttributes(attributes, lifetime).toString('hex')).toBe(
    `ffffff7f000000000000000000000000${attributesHex}`,
  );
  expect(
    encodeStatfs({ blocks: 10, bfree: 0, bavail: 0, files: 5, ffree: 0, bsize: 4096, namelen: 255 }).toString(
      'hex',
    ),
  ).toBe(padded(statfsHex, 80));
});

test('the reply to INIT leaves empty what an old kernel does not know', () => {
  const common = {
    maxReadahead: 131072,
    maxBackground: 256,
    congestionThreshold: 192,
    maxWrite: 4096,
    maxPages: 256,
  };
  const old = { ...common, minor: 31, flags: (1 << 0) | (1 << 22), flags2: 0, maxStackDepth: 0 };
  expect(encodeInit(7, old).toString('hex')).toBe(init31Hex);
  const flags2 = (1 << 5) | (1 << 7); // passthrough and resend
  const current = { ...common, minor: 45, flags: (1 << 0) | (1 << 30), flags2, maxStackDepth: 1 };
  expect(encodeInit(7, current).toString('hex')).toBe(init45Hex);
});

test('a file is opened with its pages kept, without the cache, or with the file that the kernel reads instead', () => {
  const open = (answer: Parameters<typeof encodeOpen>[0]) => encodeOpen(answer).toString('hex');
  expect(open({ mode: 'cached' })).toBe('00000000000000002200000000000000');
  expect(open({ mode: 'direct' })).toBe('00000000000000002100000000000000');
  expect(open({ mode: 'passthrough', backing: 3 })).toBe('0000000000000000a000000003000000');
});

test('STATX shows a birth, and says so only when it is known', () => {
  const born = { ...attributes, btime: 1_600_000_000, btimeNs: 7 };
  expect(encodeStatx(born, lifetime).toString('hex')).toBe(statxHex);
  expect(encodeStatx(attributes, lifetime).readUInt32LE(32)).toBe(0x7ff);
});

test('attribute names end in NUL; sizes and offsets have a structure of their own', () => {
  expect(encodeXattrNames([Buffer.from('user.a'), Buffer.from('user.b')]).toString()).toBe(
    'user.a\0user.b\0',
  );
  expect(encodeXattrNames([])).toHaveLength(0);
  expect(encodeXattrSize(20).toString('hex')).toBe('1400000000000000');
  expect(encodeLseek(2 ** 32 + 4096).toString('hex')).toBe('0010000001000000');
});

test('a header counts itself and the body, and carries a failure as a negative error number', () => {
  expect(encodeHeader(0x123456789abcdef0n, 0, 3).toString('hex')).toBe('1300000000000000f0debc9a78563412');
  expect(encodeHeader(7n, 2, 0).toString('hex')).toBe('10000000feffffff0700000000000000');
});

test('a directory entry is padded to 8 bytes; with attributes it follows an entry reply', () => {
  const entry = { name: Buffer.from('hello'), node: 42, next: 3, attributes: { ...attributes, ino: 9 } };
  const plain = new DirectoryReply(4096, false, lifetime);
  plain.add(entry);
  expect(plain.bytes.toString('hex')).toBe(direntHex);
  const plus = new DirectoryReply(4096, true, lifetime);
  plus.add(entry);
  expect(plus.bytes.toString('hex')).toBe(encodeEntry(entry, lifetime).toString('hex') + direntHex);
});

test('a directory reply never grows beyond its limit and holds all entries before the one that did not fit', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 255 });
  fc.assert(
    fc.property(fc.array(name), fc.nat(2000), fc.boolean(), (names, limit, plus) => {
      const reply = new DirectoryReply(limit, plus, lifetime);
      const taken = names.findIndex((name, i) => !reply.add({ name, node: 1, next: i + 1, attributes }));
      const held = taken < 0 ? names : names.slice(0, taken);
      const size = (length: number) => (plus ? 128 : 0) + Math.ceil((24 + length) / 8) * 8;
      expect(reply.bytes.length).toBe(held.reduce((sum, { length }) => sum + size(length), 0));
      expect(reply.bytes.length).toBeLessThanOrEqual(limit);
    }),
  );
});
