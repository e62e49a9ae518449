import { expect, test } from 'vitest';
import { encodeInvalidateEntry, encodeInvalidateInode, encodeResend, encodeStore } from './notification.ts';

const hex = (pieces: readonly Uint8Array[]) => Buffer.concat(pieces).toString('hex');
const hello = Buffer.from('hello');

// Made with a C compiler from the structures of linux/fuse.h.
test('notifications have the layout of linux/fuse.h', () => {
  expect(hex(encodeStore(42, 2 ** 32 + 4096, [hello.subarray(0, 2), hello.subarray(2)]))).toBe(
    '2d0000000400000000000000000000002a000000000000000010000001000000050000000000000068656c6c6f',
  );
  expect(hex(encodeInvalidateInode(42, 2 ** 32 + 4096, 4096))).toBe(
    '280000000200000000000000000000002a0000000000000000100000010000000010000000000000',
  );
  expect(hex(encodeInvalidateInode(42, -1, 0))).toBe(
    '280000000200000000000000000000002a00000000000000ffffffffffffffff0000000000000000',
  );
  expect(hex(encodeInvalidateEntry(42, hello))).toBe(
    '260000000300000000000000000000002a00000000000000050000000000000068656c6c6f00',
  );
  expect(hex(encodeResend())).toBe('10000000070000000000000000000000');
});
