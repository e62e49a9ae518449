import { expect, test } from 'vitest';
import { type Inode, manifestOf } from '../flist/manifest/manifest.ts';
import { chooseIoMode } from './io-mode.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** The choice for files of these sizes, each so often. */
function choiceFor(sizes: readonly (readonly [size: number, count: number])[], more: Partial<Inode> = {}) {
  const metadata = { uid: 0, gid: 0, rdev: 0, ctime: 0, mtime: 0 };
  const inodes: Inode[] = [{ ...metadata, ino: 1, parent: 0, name: '/', size: 0, mode: 0o040755 }];
  for (const [size, count] of sizes)
    for (let i = 0; i < count; i++) {
      const ino = inodes.length + 1;
      inodes.push({ ...metadata, ino, parent: 1, name: `${ino}`, size, mode: 0o100644, ...more });
    }
  return chooseIoMode(manifestOf({ inodes, blocks: new Map() }).columns);
}

test.each([
  ['nothing', [], 'no-open'],
  ['20,000 files of 4 KiB', [[4 * KiB, 20_000]], 'no-open'],
  [
    'kernel modules',
    [
      [20 * KiB, 2500],
      [80 * KiB, 1200],
      [400 * KiB, 280],
      [4 * MiB, 20],
    ],
    'no-open',
  ],
  [
    'a root file system',
    [
      [2 * KiB, 5000],
      [30 * KiB, 2500],
      [200 * KiB, 400],
      [5 * MiB, 40],
    ],
    'no-open',
  ],
  ['one image', [[4096 * MiB, 1]], 'passthrough'],
  ['photographs', [[6 * MiB, 1000]], 'passthrough'],
  [
    'a data set and its small files',
    [
      [4 * KiB, 1000],
      [500 * MiB, 4],
    ],
    'passthrough',
  ],
  ['files just below what is passed through', [[128 * KiB - 1, 1000]], 'no-open'],
] as const)('%s', (_, sizes, choice) => {
  expect(choiceFor(sizes)).toBe(choice);
});

test('what is no file does not count, nor the further names of one', () => {
  expect(choiceFor([[4096 * MiB, 1]], { mode: 0o010644 })).toBe('no-open');
  const file = [[6 * MiB, 1]] as const;
  expect(choiceFor([...file, [4 * KiB, 40]])).toBe('passthrough');
  expect(choiceFor([...file, [4 * KiB, 80]])).toBe('no-open');
});
