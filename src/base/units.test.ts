import { expect, test } from 'vitest';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './units.ts';

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [200 * 1024 * 1024, '200 MiB'],
])('%i bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [8, '8 ms'],
  [1250, '1.25 s'],
  [125_000, '2 min 05 s'],
])('%i milliseconds are %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));

test.each([
  ['0', 0],
  ['50ms', 50],
  ['90s', 90_000],
  ['30m', 1_800_000],
  ['1.5h', 5_400_000],
  ['7d', 604_800_000],
])('%s is a duration', (text, milliseconds) => expect(parseDuration(text)).toBe(milliseconds));

test.each(['', '5', '-1h', '1 h', '24H', 'h'])('%j is none', (text) =>
  expect(() => parseDuration(text)).toThrow(/is no duration/));

test.each([
  ['512', 512],
  ['0', 0],
  ['90kB', 90_000],
  ['1.5MiB', 1_572_864],
  ['2gib', 2_147_483_648],
])('%s is %i bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

test.each([
  '',
  '-1kB',
  '1e3',
  'kB',
  '1parsec',
  '1.',
  '.5kB',
  '1kBs',
  '1ib',
])('%j is no number of bytes', (text) => expect(() => parseBytes(text)).toThrow(/is no number of bytes/));
