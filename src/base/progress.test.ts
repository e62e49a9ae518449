import { expect, test } from 'vitest';
import { formatProgress } from './progress.ts';

const MiB = 1024 * 1024;

test('how far it is, how fast, and how long it takes from here', () => {
  expect(formatProgress('blocks', { done: 120, total: 480, bytes: 30 * MiB, milliseconds: 2000 })).toBe(
    '120/480 blocks, 30.0 MiB, 15.0 MiB/s, 6.00 s left',
  );
});

test('no rate in the first second, and no end where the total is not known', () => {
  expect(formatProgress('blocks', { done: 1, total: 4, bytes: MiB, milliseconds: 10 })).toBe(
    '1/4 blocks, 1.0 MiB',
  );
  expect(formatProgress('files', { done: 7, bytes: MiB, milliseconds: 1000 })).toBe(
    '7 files, 1.0 MiB, 1.0 MiB/s',
  );
});
