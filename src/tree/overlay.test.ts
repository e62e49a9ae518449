import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { treeArbitrary } from './arbitrary.ts';
import { bytesContent } from './content.ts';
import { dumpTree } from './dump.ts';
import { resolvePath } from './links.ts';
import { overlay } from './overlay.ts';
import { type Entry, Tree } from './tree.ts';

const metadata = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
const directory: Entry = { kind: 'directory', ...metadata };
const symlink = (target: string): Entry => ({ kind: 'symlink', ...metadata, target });
const file = (text: string, hardLink?: string): Entry => ({
  kind: 'file',
  ...metadata,
  content: bytesContent(text),
  ...(hardLink && { hardLink }),
});

async function textOf(tree: Tree, path: string): Promise<string | undefined> {
  const content = tree.file(path)?.content;
  return content && Buffer.from(await content.read()).toString();
}

describe('overlay', () => {
  test('of nothing, or over nothing, changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary(), async (tree) => {
        expect(await dumpTree(overlay(tree))).toBe(await dumpTree(tree));
        expect(await dumpTree(overlay(Tree.empty, tree))).toBe(await dumpTree(tree));
        expect(await dumpTree(overlay(tree, tree))).toBe(await dumpTree(tree));
      }),
    );
  });

  test('puts files of the upper tree in the place of those of the lower, and joins directories', async () => {
    const lower = Tree.from([
      ['etc', directory],
      ['etc/kept', file('kept')],
      ['etc/changed', file('old')],
    ]);
    const upper = Tree.from([
      ['etc', { ...directory, mode: 0o700 }],
      ['etc/changed', file('new')],
    ]);
    const both = overlay(lower, upper);
    expect(await textOf(both, 'etc/kept')).toBe('kept');
    expect(await textOf(both, 'etc/changed')).toBe('new');
    expect(both.get('etc')!.mode).toBe(0o700);
  });

  test('follows the symlinks of a merged /usr', async () => {
    const lower = Tree.from([
      ['bin', symlink('usr/bin')],
      ['lib', symlink('/usr/lib')],
      ['usr/bin', directory],
      ['usr/lib', directory],
    ]);
    const both = overlay(
      lower,
      Tree.from([
        ['bin/tool', file('tool')],
        ['lib/modules/1/a.ko', file('module')],
      ]),
    );
    expect(both.get('bin')).toEqual(symlink('usr/bin'));
    expect(await textOf(both, 'usr/bin/tool')).toBe('tool');
    expect(await textOf(both, 'usr/lib/modules/1/a.ko')).toBe('module');
  });

  test.each([
    ['a file', file('')],
    ['a dangling symlink', symlink('nowhere')],
    ['a symlink to itself', symlink('a')],
    ['a device', { kind: 'character', ...metadata, major: 1, minor: 3 } as Entry],
  ])('refuses a directory where the lower tree has %s', (_what, entry) => {
    const upper = Tree.from([['a/b', file('')]]);
    expect(() => overlay(Tree.from([['a', entry]]), upper)).toThrow(
      expect.objectContaining({ kind: 'conflict' }),
    );
  });

  test('refuses a file where the lower tree has a directory with entries, and takes the place of an empty one', () => {
    const upper = Tree.from([['a', file('')]]);
    expect(() => overlay(Tree.from([['a/b', file('')]]), upper)).toThrow('a is a directory with entries');
    expect(overlay(Tree.from([['a', directory]]), upper).get('a')!.kind).toBe('file');
  });

  test('keeps hard links of different trees apart, though their groups have one name', async () => {
    const lower = Tree.from([
      ['a', file('old', 'a')],
      ['b', file('old', 'a')],
      ['c', file('old', 'a')],
    ]);
    const upper = Tree.from([
      ['a', file('new', 'a')],
      ['d', file('new', 'a')],
    ]);
    const both = overlay(lower, upper);
    const groups = ['a', 'b', 'c', 'd'].map((path) => both.file(path)!.hardLink);
    expect(groups).toEqual(['a', 'b', 'b', 'a']);
    expect(await textOf(both, 'b')).toBe('old');
  });
});

describe('resolvePath', () => {
  const tree = Tree.from([
    ['usr/lib/real', file('')],
    ['lib', symlink('/usr/lib')],
    ['up', symlink('../../usr')],
    ['usr/lib/link', symlink('real')],
    ['loop', symlink('loop')],
  ]);
  const resolve = (path: string) => resolvePath((at) => tree.get(at), path);

  test('follows links inside the tree, which is the root for absolute ones and for too many ..', () => {
    expect(resolve('lib/link')).toBe('usr/lib/real');
    expect(resolve('up/lib/../lib/real')).toBe('usr/lib/real');
    expect(resolve('/')).toBe('');
  });

  test('finds nothing in a loop, for a missing name, and below a file', () => {
    expect(resolve('loop')).toBeUndefined();
    expect(resolve('lib/none')).toBeUndefined();
    expect(resolve('usr/lib/real/below')).toBeUndefined();
  });
});
