import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../base/names.ts';
import { treeArbitrary } from './arbitrary.ts';
import { bytesContent } from './content.ts';
import { type Entry, nameOf, parentOf, Tree, treePath } from './tree.ts';

const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 5 };
const file = (text = '', hardLink?: string): Entry => ({
  kind: 'file',
  ...metadata,
  content: bytesContent(text),
  ...(hardLink && { hardLink }),
});
const directory: Entry = { kind: 'directory', ...metadata, mode: 0o700 };

describe('a tree', () => {
  test('is sorted by bytes, and parents come before children, for any entries', () => {
    fc.assert(
      fc.property(treeArbitrary(), (tree) => {
        const paths = [...tree.paths()];
        expect(paths).toEqual([...paths].sort(compareBytes));
        for (const path of paths.slice(1)) expect(tree.get(parentOf(path)!)?.kind).toBe('directory');
      }),
    );
  });

  test('makes missing parents with the time of the root', () => {
    const tree = Tree.from([
      ['', { ...directory, mtime: 9 }],
      ['usr/bin/tool', file()],
    ]);
    expect([...tree.paths()]).toEqual(['', 'usr', 'usr/bin', 'usr/bin/tool']);
    expect(tree.get('usr')).toEqual({ kind: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 9 });
  });

  test('takes the last of two entries of one path', async () => {
    const tree = Tree.from([
      ['a', file('old')],
      ['a', file('new')],
    ]);
    expect(Buffer.from(await tree.file('a')!.content.read()).toString()).toBe('new');
  });

  test.each([
    '../etc/passwd',
    'a/../b',
    '/etc',
    'a//b',
    'a/',
    './a',
    'a\0b',
    '..',
  ])('refuses the path %j', (path) => {
    expect(() => Tree.from([[path, file()]])).toThrow(expect.objectContaining({ kind: 'hostile' }));
  });

  test('refuses an entry below a file or a symlink', () => {
    const link: Entry = { kind: 'symlink', ...metadata, target: '/etc' };
    for (const parent of [file(), link])
      expect(() =>
        Tree.from([
          ['a', parent],
          ['a/b', file()],
        ]),
      ).toThrow(expect.objectContaining({ kind: 'conflict' }));
    expect(() => Tree.from([['', file()]])).toThrow('the root of a tree must be a directory');
  });

  test('counts the contents of hard links once', () => {
    const tree = Tree.from([
      ['a', file('12345', 'group')],
      ['b', file('12345', 'group')],
      ['c', file('123')],
    ]);
    expect(tree.contentSize()).toBe(8);
  });

  test('selects entries with the directories above them', () => {
    const tree = Tree.from([
      ['usr', directory],
      ['usr/bin/tool', file()],
      ['usr/share/doc', file()],
    ]);
    const selected = tree.select((path) => path === 'usr/bin/tool');
    expect([...selected.paths()]).toEqual(['', 'usr', 'usr/bin', 'usr/bin/tool']);
    expect(selected.get('usr')).toEqual(directory);
  });

  test('maps entries, and leaves out those that become undefined', () => {
    const tree = Tree.from([
      ['a', file()],
      ['b', file()],
    ]);
    const mapped = tree.map((path, entry) => (path === 'a' ? undefined : { ...entry, uid: 7 }));
    expect([...mapped].map(([path, entry]) => [path, entry.uid])).toEqual([
      ['', 0],
      ['b', 7],
    ]);
  });

  test('moved below a directory and taken from there again is the same', () => {
    fc.assert(
      fc.property(treeArbitrary(), (tree) => {
        expect([...tree.under('some/where').subtree('some/where')]).toEqual([...tree]);
      }),
    );
  });

  test('has an empty subtree where it has no directory', () => {
    expect(Tree.from([['a', file()]]).subtree('a')).toBe(Tree.empty);
  });

  test('with other entries has those in the place of its own', () => {
    const tree = Tree.from([['a', file('old')]]).with([
      ['a', file('newer')],
      ['b', file()],
    ]);
    expect(tree.file('a')!.content.size).toBe(5);
    expect([...tree.paths()]).toEqual(['', 'a', 'b']);
  });
});

test('paths have parents and names', () => {
  expect([parentOf('a/b/c'), parentOf('a'), parentOf('')]).toEqual(['a/b', '', undefined]);
  expect([nameOf('a/b/c'), nameOf('a'), nameOf('')]).toEqual(['c', 'a', '']);
});

describe('treePath', () => {
  test.each([
    ['./usr/bin/', 'usr/bin'],
    ['/usr//bin', 'usr/bin'],
    ['./', ''],
    ['usr/./bin', 'usr/bin'],
  ])('makes %j the path %j', (name, path) => {
    expect(treePath(name)).toBe(path);
  });

  test('refuses to leave the tree', () => {
    for (const name of ['../a', '/..', 'a/../../b', 'a\0'])
      expect(() => treePath(name)).toThrow('not a path inside a tree');
  });
});
