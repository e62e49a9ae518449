import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { kindOfMode, makedev, modeOf, splitDevice } from './inode.ts';

test('device numbers are encoded as makedev(3) does', () => {
  expect(makedev(1, 3)).toBe(0x103);
  expect(makedev(8, 0)).toBe(0x800);
  expect(makedev(259, 256)).toBe(0x110300);
});

test('device numbers come back from their encoding', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4095 }), fc.integer({ min: 0, max: 1048575 }), (major, minor) => {
      expect(splitDevice(makedev(major, minor))).toEqual({ major, minor });
    }),
  );
});

test('a mode says what an inode is', () => {
  expect(modeOf('file', 0o4755)).toBe(0o104755);
  expect(kindOfMode(0o104755)).toBe('file');
  expect(kindOfMode(0o041777)).toBe('directory');
  expect(kindOfMode(0o644)).toBeUndefined();
  expect(kindOfMode(0o170644)).toBeUndefined();
});
