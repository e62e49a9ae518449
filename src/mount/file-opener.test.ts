import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { FuseError, type FuseErrorKind } from '../fuse/fuse-error.ts';
import { OpenFiles } from '../fuse/open-files.ts';
import { PassthroughOpener } from './file-opener.ts';

/** An opener of files that all are whole, and a kernel that refuses those of some nodes. */
function opener(refused: Readonly<Record<number, FuseErrorKind>>) {
  const [held, lines, prepared] = [new Set<number>(), [] as string[], [] as number[]];
  const hold = (node: number) => {
    held.add(node);
    return { close: () => void held.delete(node) };
  };
  const made = new PassthroughOpener({
    device: -1,
    log: (line) => lines.push(line),
    files: {
      isLarge: () => true,
      open: (node) => ({ ...hold(node), descriptor: node, closeDescriptor() {} }),
      hold,
      prepare: (node) => prepared.push(node),
    },
    backing: {
      openBacking(_, node) {
        const kind = refused[node];
        if (kind !== undefined) throw new FuseError(kind, 'the reason');
        return 100 + node;
      },
      closeBacking() {},
    },
  });
  const start = (...features: 'passthrough'[]) => made.start({ minor: 41, features }, new OpenFiles());
  return { made, start, held, lines };
}

test('what the kernel does not take is cached; one such file says nothing of the others', () => {
  const { made, start, held, lines } = opener({ 1: 'failed', 2: 'failed' });
  start('passthrough');
  for (const node of [1, 2]) expect(made.open(node)).toEqual({ mode: 'cached' });
  expect(made.open(3)).toEqual({ mode: 'passthrough', backing: 103 });
  expect([...held]).toEqual([3]);
  expect(lines).toEqual(['the reason']);
});

test.each([
  'denied',
  'unavailable',
  'missing-tool',
] as const)('a kernel that takes none, as %s, is not asked again', (kind) => {
  const { made, start, held, lines } = opener({ 1: kind });
  start('passthrough');
  for (const node of [1, 3]) expect(made.open(node)).toEqual({ mode: 'cached' });
  expect([...held]).toEqual([]);
  expect(lines).toEqual(['files are not passed through: the reason']);
});

test('without the agreement the kernel is told to open files by itself', () => {
  const { made, start } = opener({});
  start();
  expect(made.open(1)).toBe(constants.errno.ENOSYS);
});
