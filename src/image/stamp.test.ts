import { describe, expect, test } from 'vitest';
import { Tree } from '../tree/tree.ts';
import { directoryEntry, textEntry } from './entries.ts';
import { clampTimes, formatStamp, newestTime, readStamp, stampImage } from './stamp.ts';

const at = (mtime: number, text = 'x') => ({ ...textEntry(text), mtime });
const root = (entries: Record<string, ReturnType<typeof at>>) => Tree.from(Object.entries(entries));

describe('the times of an image', () => {
  test('are never later than its epoch, and the epoch where there was none', () => {
    const tree = clampTimes(root({ old: at(100), young: at(900), ours: textEntry('x') }), 500);
    expect(['old', 'young', 'ours'].map((path) => tree.get(path)?.mtime)).toEqual([100, 500, 500]);
  });

  test('have no nanoseconds', () => {
    const tree = clampTimes(Tree.from([['file', { ...at(1), mtimeNs: 5 }]]), 500);
    expect(tree.get('file')).not.toHaveProperty('mtimeNs');
  });

  test('give the newest one', () => {
    expect(newestTime(root({ a: at(7), b: at(9), c: at(8) }))).toBe(9);
  });
});

describe('the stamp of an image', () => {
  test('is read back as it was written', async () => {
    const { tree, stamp } = await stampImage(root({ 'etc/x': at(5) }), '6.1.0-1', 1_700_000_000);
    expect(await readStamp(tree)).toEqual(stamp);
    expect(stamp.kernelRelease).toBe('6.1.0-1');
  });

  test('is shell variables', () => {
    expect(formatStamp({ buildId: 'abc', kernelRelease: '6.1', epoch: 0 })).toBe(
      'BUILD_ID=abc\nKERNEL_RELEASE=6.1\nBUILD_DATE=1970-01-01T00:00:00Z\n',
    );
  });

  test('has an id that changes with any byte, mode or path, and with nothing else', async () => {
    const idOf = async (tree: Tree) => (await stampImage(tree, '6.1', 10)).stamp.buildId;
    const base = root({ 'etc/x': at(5) });
    expect(await idOf(root({ 'etc/x': at(5) }))).toBe(await idOf(base));
    const others = [
      root({ 'etc/x': at(5, 'y') }),
      root({ 'etc/y': at(5) }),
      base.with([['etc/x', { ...at(5), mode: 0o600 }]]),
      base.with([['var', directoryEntry()]]),
    ];
    const ids = await Promise.all([base, ...others].map(idOf));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('is not there in a tree without one', async () => {
    expect(await readStamp(Tree.empty)).toBeUndefined();
  });
});
