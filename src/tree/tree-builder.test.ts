import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../base/names.ts';
import { treeArbitrary } from './arbitrary.ts';
import { bytesContent } from './content.ts';
import { dumpTree } from './dump.ts';
import { sampleTree } from './sample.fixture.ts';
import { type Entry, nameOf, parentOf, Tree } from './tree.ts';
import { TreeBuilder } from './tree-builder.ts';

const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 7 };
const file = (text = ''): Entry => ({ kind: 'file', ...metadata, content: bytesContent(text) });
const directory = (mode = 0o755): Entry => ({ kind: 'directory', ...metadata, mode });
const symlink = (target: string): Entry => ({ kind: 'symlink', ...metadata, target });

function built(...entries: readonly (readonly [string, Entry])[]): TreeBuilder {
  const builder = new TreeBuilder();
  for (const [name, entry] of entries) builder.put(name, entry);
  return builder;
}

const pathsOf = (builder: TreeBuilder) => [...builder].map(([path]) => path);
const hostile = expect.objectContaining({ kind: 'hostile' });

describe('a tree that is built', () => {
  test('holds the entries that were put in, whatever their order', async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary(), fc.infiniteStream(fc.nat()), async (tree, random) => {
        const builder = new TreeBuilder();
        const shuffled = [...tree].map((each) => ({ each, at: random.next().value as number }));
        for (const { each } of shuffled.sort((a, b) => a.at - b.at)) builder.put(...each);
        expect(await dumpTree(Tree.from(builder))).toBe(await dumpTree(tree));
      }),
    );
  });

  test('is given depth first, names of one directory in byte order', () => {
    fc.assert(
      fc.property(treeArbitrary(), (tree) => {
        const paths = pathsOf(built(...tree));
        expect([...paths].sort(compareBytes)).toEqual([...tree.paths()]);
        const done = new Map<string, string>();
        for (const [index, path] of paths.entries()) {
          const parent = parentOf(path);
          if (parent === undefined) continue;
          const before = paths[index - 1]!;
          expect(`${before}/`.startsWith(parent === '' ? '' : `${parent}/`)).toBe(true);
          const sibling = done.get(parent);
          if (sibling !== undefined) expect(compareBytes(sibling, nameOf(path))).toBeLessThan(0);
          done.set(parent, nameOf(path));
        }
      }),
    );
    expect(pathsOf(built(['a/b', file()], ['a.c', file()], ['Z', file()]))).toEqual([
      '',
      'Z',
      'a',
      'a/b',
      'a.c',
    ]);
  });

  test('takes names as archives have them, and makes missing parents', () => {
    const builder = built(['./', directory(0o700)], ['/a//b/./c', file()], ['./d/', directory()]);
    expect(pathsOf(builder)).toEqual(['', 'a', 'a/b', 'a/b/c', 'd']);
    expect(builder.get('')).toMatchObject({ mode: 0o700 });
    expect(builder.get('a/b')).toMatchObject({ kind: 'directory', mode: 0o755, uid: 0, mtime: 7 });
  });

  test('lets a directory keep its entries, and everything else be replaced with all that was in it', () => {
    const builder = built(
      ['a/b', file('old')],
      ['a', directory(0o500)],
      ['a/b', file('new')],
      ['x/y/z', file()],
    );
    expect(builder.get('a')).toMatchObject({ mode: 0o500 });
    expect(builder.get('a/b')).toMatchObject({ content: { size: 3 } });
    builder.put('x', file());
    expect(pathsOf(builder)).toEqual(['', 'a', 'a/b', 'x']);
    builder.put('x', directory());
    expect(builder.get('x')).toMatchObject({ kind: 'directory' });
  });

  test('follows symbolic links on the way to a name, but never out of the tree', () => {
    const builder = built(
      ['usr/lib', directory()],
      ['lib', symlink('usr/lib')],
      ['up', symlink('../../../usr')],
      ['root', symlink('/usr/lib')],
      ['new', symlink('made/here')],
    );
    builder.put('lib/a', file());
    builder.put('up/lib/b', file());
    builder.put('root/c', file());
    builder.put('new/d', file());
    expect(pathsOf(builder).filter((path) => builder.get(path)?.kind === 'file')).toEqual([
      'made/here/d',
      'usr/lib/a',
      'usr/lib/b',
      'usr/lib/c',
    ]);
    builder.put('lib', directory());
    expect([builder.get('lib')?.kind, builder.get('lib/a')]).toEqual(['directory', undefined]);
  });

  test('links files as groups called by the first name that is left, and copies links to other kinds', () => {
    const builder = built(['z', file('data')], ['s', symlink('z')], ['lone', file()]);
    builder.link('./m', 'z');
    builder.link('a', '/m');
    builder.link('t', 's');
    builder.link('gone', 'lone');
    builder.remove('gone');
    const tree = Tree.from(builder);
    expect(['a', 'm', 'z', 'lone'].map((path) => tree.file(path)!.hardLink)).toEqual([
      'a',
      'a',
      'a',
      undefined,
    ]);
    expect(tree.get('t')).toEqual(tree.get('s'));
    builder.put('a', file('other'));
    expect(Tree.from(builder).file('z')!.hardLink).toBe('m');
  });

  test('keeps all of thousands of entries that have nothing in common', () => {
    const entries = Array.from({ length: 3000 }, (_, i): [string, Entry] => {
      const value = new Uint8Array(i % 1500).fill(i);
      const xattrs = new Map(i % 3 === 0 ? [] : [['user.\udc80', value] as const]);
      const common = { mode: i & 0o7777, uid: 2 ** 40 + i, gid: i, mtime: -i, mtimeNs: i + 1, xattrs };
      const path = `${i % 7}/${String(i).padStart(4, '0')}`;
      if (i % 2 === 0) return [path, { kind: 'symlink', ...common, target: `${i}\udcff` }];
      return [path, { kind: 'block', ...common, major: i, minor: 2 * i }];
    });
    const builder = built(...entries);
    for (const [path, entry] of entries) expect(builder.get(path)).toEqual(entry);
    const found = [...builder].filter(([path]) => path.includes('/'));
    expect(found).toEqual(entries.toSorted(([a], [b]) => compareBytes(a, b)));
  });

  test('takes names of up to 255 bytes, whatever bytes', () => {
    const name = '\udcff'.repeat(255);
    expect(pathsOf(built([name, file()]))).toEqual(['', name]);
    expect(() => built([`${name}a`, file()])).toThrow(hostile);
  });

  test('gives a name anew that was taken away, without what was below it', () => {
    const builder = built(['a/b/c', file()], ['d/e', file()]);
    for (let i = 0; i < 100; i++) {
      builder.remove('a');
      builder.put('a/b', directory());
      builder.clear('d');
    }
    expect(pathsOf(builder)).toEqual(['', 'a', 'a/b', 'd']);
    builder.put('d/f', file());
    expect(pathsOf(builder)).toEqual(['', 'a', 'a/b', 'd', 'd/f']);
  });

  test('forgets what is removed or cleared', () => {
    const builder = built(...sampleTree, ['way', symlink('bin')]);
    builder.remove('way/one');
    builder.remove('none/at/all');
    builder.remove('empty/below a file');
    builder.clear('dev');
    builder.clear('none');
    expect(pathsOf(builder).filter((path) => /^(bin|dev)/.test(path))).toEqual([
      'bin',
      'bin/two',
      'bin/zz three',
      'dev',
    ]);
    builder.remove('/');
    builder.clear('/');
    expect(pathsOf(builder)).toEqual(['']);
  });
});

describe('a tree that is built refuses', () => {
  test.each(['..', 'a/..', '../a', 'a/../b', 'a\0b'])('the name %j', (name) => {
    const builder = built(['a/b', file()]);
    expect(() => builder.put(name, file())).toThrow(hostile);
    expect(() => builder.link('x', name)).toThrow(hostile);
    expect(() => builder.remove(name)).toThrow(hostile);
    expect(() => builder.clear(name)).toThrow(hostile);
  });

  test('names that Linux cannot open', () => {
    const builder = new TreeBuilder();
    builder.put('n'.repeat(255), file());
    expect(() => builder.put('n'.repeat(256), file())).toThrow(hostile);
    expect(() => builder.put('ü'.repeat(128), file())).toThrow(hostile);
    builder.put('d/'.repeat(2046), directory());
    expect(() => builder.put('d/'.repeat(2049), directory())).toThrow(hostile);
    builder.put('down', symlink('d/'.repeat(2040)));
    builder.put('down/more', symlink('/down'));
    expect(() => builder.put(`down/${'e/'.repeat(100)}`, directory())).toThrow(hostile);
    expect(pathsOf(builder).every((path) => path.length < 4096)).toBe(true);
  });

  test('symbolic links in a circle', () => {
    const builder = built(['a', symlink('b')], ['b', symlink('a')], ['self', symlink('self/self')]);
    for (const name of ['a/x', 'self/x']) expect(() => builder.put(name, file())).toThrow(hostile);
  });

  test('entries below what is no directory, and a root that is none', () => {
    const conflict = expect.objectContaining({ kind: 'conflict' });
    const builder = built(['a', file()]);
    expect(() => builder.put('a/b', file())).toThrow(conflict);
    expect(() => builder.put('', file())).toThrow(conflict);
    expect(pathsOf(builder)).toEqual(['', 'a']);
  });

  test('hard links to nothing or to a directory', () => {
    const corrupt = expect.objectContaining({
      kind: 'corrupt',
      message: expect.stringMatching(/^x is a hard link/),
    });
    const builder = built(['dir/a', file()]);
    for (const target of ['none', 'dir', '', 'dir/a/b'])
      expect(() => builder.link('x', target)).toThrow(corrupt);
  });
});
