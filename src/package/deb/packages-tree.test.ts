import { describe, expect, it } from 'vitest';
import { bytesContent } from '../../tree/content.ts';
import { type Entry, Tree } from '../../tree/tree.ts';
import type { LockEntry } from './lock.ts';
import { packagesTree } from './packages-tree.ts';

const metadata = { uid: 0, gid: 0, mtime: 0 };
const directory: Entry = { kind: 'directory', mode: 0o755, ...metadata };
const link = (target: string): Entry => ({ kind: 'symlink', mode: 0o777, ...metadata, target });
const file = (text: string, mode = 0o644): Entry => ({
  kind: 'file',
  mode,
  ...metadata,
  content: bytesContent(text),
});

const base = Tree.from([
  ['bin', link('usr/bin')],
  ['lib', link('usr/lib')],
  ['usr/bin', directory],
  ['usr/lib', directory],
]);

type Package = readonly [name: string, files: Readonly<Record<string, Entry>>, replaces?: readonly string[]];

async function merge(...packages: readonly Package[]) {
  const trees = new Map(packages.map(([name, files]) => [name, Tree.from(Object.entries(files))]));
  const lock = packages.map(
    ([name, , replaces]): LockEntry => ({
      name,
      version: '1',
      architecture: 'all',
      filename: '',
      size: 0,
      sha256: '',
      source: name,
      sourceVersion: '1',
      ...(replaces && { replaces }),
    }),
  );
  return packagesTree(lock, base, async ({ name }) => trees.get(name)!);
}
const textAt = async (tree: Tree, path: string) =>
  Buffer.from(await tree.file(path)!.content.read()).toString();

describe('packagesTree', () => {
  it('follows the links of a merged-/usr base, also into directories that are new', async () => {
    const { tree, owners } = await merge(
      ['kmod', { 'bin/kmod': file('kmod'), 'lib/modprobe.d/a.conf': file('a') }],
      ['udev', { 'usr/lib/udev/rules': file('r'), 'lib/udev/hwdb': file('h') }],
    );
    expect([...tree.paths()]).toEqual([
      '', 'bin', 'lib', 'usr', 'usr/bin', 'usr/bin/kmod', 'usr/lib', 'usr/lib/modprobe.d',
      'usr/lib/modprobe.d/a.conf', 'usr/lib/udev', 'usr/lib/udev/hwdb', 'usr/lib/udev/rules',
    ]); // biome-ignore format: a listing
    expect(owners.get('usr/bin/kmod')).toBe('kmod');
    expect(owners.get('usr/lib/modprobe.d')).toBe('kmod');
    expect(owners.get('usr/lib/udev/hwdb')).toBe('udev');
    expect(owners.has('bin/kmod')).toBe(false);
  });

  it('gives the same result for every order of the lock', async () => {
    const a: Package = ['a', { 'etc/x': file('same'), 'etc/only-a': file('') }];
    const b: Package = ['b', { 'etc/x': file('same'), etc: { ...directory, mode: 0o700 } }];
    const [one, other] = [await merge(a, b), await merge(b, a)];
    expect([...one.tree]).toEqual([...other.tree]);
    expect([...one.owners]).toEqual([...other.owners]);
    expect(one.owners.get('etc/x')).toBe('a');
  });

  it.each([
    ['content', file('one'), file('two')],
    ['mode', file('one'), file('one', 0o755)],
    ['kind', file('one'), link('one')],
    ['target', link('one'), link('two')],
  ])('names both packages and the path when they differ in %s', async (_what, left, right) => {
    await expect(merge(['left', { 'usr/bin/x': left }], ['right', { 'bin/x': right }])).rejects.toMatchObject(
      {
        kind: 'conflict',
        message: expect.stringMatching(/left and right.*usr\/bin\/x/),
      },
    );
  });

  it('honours Replaces, whichever package comes first', async () => {
    const older = { 'usr/bin/x': file('old') };
    const newer = { 'bin/x': file('new') };
    for (const [oldName, newName] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const { tree, owners } = await merge([oldName, older], [newName, newer, [oldName]]);
      expect(await textAt(tree, 'usr/bin/x')).toBe('new');
      expect(owners.get('usr/bin/x')).toBe(newName);
    }
  });

  it('names the package whose file is in the way of a directory', async () => {
    await expect(merge(['a', { 'etc/x': file('') }], ['b', { 'etc/x/y': file('') }])).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringMatching(/package b .*etc\/x/),
    });
  });
});
