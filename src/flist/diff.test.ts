import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockSize } from './block/block-codec.ts';
import { blocksToFetch, diffEntries, diffSettings } from './diff.ts';
import { dumpLines } from './dump.ts';
import type { Inode } from './manifest/inode.ts';
import { type ManifestRows, manifestOf } from './manifest/manifest.ts';
import { manifestArbitrary, sampleManifest, sampleRows } from './manifest/test-manifest.ts';

const ref = (digit: string) => ({ id: digit.repeat(64), key: digit.repeat(64) });

/** The changes from the sample to the sample with other rows. */
function changesTo(change: (rows: ReturnType<typeof sampleRows>) => Partial<ManifestRows>) {
  const newer = manifestOf({ ...sampleRows(), ...change(sampleRows()) });
  return [...diffEntries(sampleManifest(), newer)];
}

const withInode = (ino: number, change: Partial<Inode>) =>
  changesTo(({ inodes }) => ({
    inodes: inodes.map((inode) => (inode.ino === ino ? { ...inode, ...change } : inode)),
  }));

test('manifests of one tree do not differ, whatever their inode numbers', () => {
  const renumbered = sampleRows().inodes.map((inode) => ({
    ...inode,
    ...(inode.ino > 1 && { ino: inode.ino + 100 }),
    ...(inode.parent > 1 && { parent: inode.parent + 100 }),
  }));
  const blocks = new Map([[103, sampleRows().blocks!.get(3)!]]);
  expect(changesTo(() => ({ inodes: renumbered, blocks }))).toEqual([]);
});

test('what is in one only is added or removed, a directory with all in it', () => {
  const without = changesTo(({ inodes }) => ({
    inodes: [
      ...inodes.filter(({ ino, parent }) => ino !== 2 && parent !== 2),
      { ...inodes[4]!, ino: 20, name: 'dir-' },
    ],
    blocks: new Map(),
  }));
  expect(without).toEqual([
    { change: 'removed', path: 'dir', kind: 'directory' },
    { change: 'removed', path: 'dir/file', kind: 'file' },
    { change: 'removed', path: 'dir/link', kind: 'symlink' },
    { change: 'added', path: 'dir-', kind: 'fifo' },
  ]);
});

test('what is another says in what', () => {
  const changed = (path: string, kind: string, ...fields: string[]) => [
    { change: 'changed', path, kind, fields },
  ];
  expect(withInode(5, { mode: 0o010640, uid: 1, gid: 2, mtimeNs: 3 })).toEqual(
    changed('fifo', 'fifo', 'mode', 'uid', 'gid', 'mtime'),
  );
  expect(withInode(5, { mode: 0o140600 })).toEqual(changed('fifo', 'socket', 'kind'));
  expect(withInode(2, { size: 5 })).toEqual([]); // what a directory says of its size means nothing
  expect(withInode(4, { target: 'else' })).toEqual(changed('dir/link', 'symlink', 'target'));
  expect(withInode(6, { rdev: 0x105 })).toEqual(changed('null', 'character', 'device'));
  expect(withInode(6, { xattrs: new Map([['user.a', Buffer.of(1)]]) })).toEqual(
    changed('null', 'character', 'xattrs'),
  );
  expect(withInode(6, { ctime: 1 })).toEqual(changed('null', 'character', 'ctime'));
  expect(withInode(6, { ctime: 1, mtime: 1 })).toEqual(changed('null', 'character', 'mtime'));
});

test('a file has another content when a key or its size is another, and only other blocks when the keys are the same', () => {
  const file = (...refs: { id: string; key: string }[]) =>
    changesTo(() => ({ blocks: new Map([[3, refs]]) }));
  const [first, second] = sampleRows().blocks!.get(3)!;
  expect(file(first!, { ...second!, id: ref('1').id })).toMatchObject([
    { path: 'dir/file', fields: ['blocks'] },
  ]);
  expect(file(first!, ref('1'))).toMatchObject([{ path: 'dir/file', fields: ['content'] }]);
  expect(withInode(3, { size: blockSize + 2 })).toMatchObject([{ fields: ['content', 'size'] }]);
});

test('names of one file and copies of it differ', () => {
  const [root, , , , , , , , file] = sampleRows().inodes;
  const copies = [root!, { ...file!, name: 'a', ino: 2 }, { ...file!, name: 'b', ino: 3 }];
  const linked = copies.map((inode) => (inode.ino === 3 ? { ...inode, link: 2 } : inode));
  const [before, after] = [manifestOf({ inodes: copies }), manifestOf({ inodes: linked })];
  expect([...diffEntries(before, after)]).toMatchObject([
    { path: 'a', fields: ['link'] },
    { path: 'b', fields: ['link'] },
  ]);
});

test('tags and routes that differ are named', () => {
  const older = sampleManifest();
  const newer = older.with({
    tags: new Map([
      ['author', 'else'],
      ['new', ''],
    ]),
    routes: [],
  });
  expect(diffSettings(older, newer)).toEqual([
    { change: 'removed', setting: 'tag', tag: 'version' },
    { change: 'changed', setting: 'tag', tag: 'author' },
    { change: 'added', setting: 'tag', tag: 'new' },
    { change: 'changed', setting: 'stores' },
  ]);
  expect(diffSettings(older, older)).toEqual([]);
  const ahead = older.with({ prefetch: [{ ino: 3, first: 0, last: 1 }] });
  expect(diffSettings(older, ahead)).toEqual([{ change: 'added', setting: 'prefetch' }]);
  expect(diffSettings(ahead, older)).toEqual([{ change: 'removed', setting: 'prefetch' }]);
  expect(diffSettings(ahead, ahead.with({ tags: older.tags }))).toEqual([]);
  const other = older.with({ prefetch: [{ ino: 3, first: 1, last: 1 }] });
  expect(diffSettings(ahead, other)).toEqual([{ change: 'changed', setting: 'prefetch' }]);
});

test('what is to fetch is each block that the older does not have, once', () => {
  const [first, second] = sampleRows().blocks!.get(3)!;
  const inodes = sampleRows().inodes.map((inode) =>
    inode.ino === 9 ? { ...inode, size: 2 * blockSize + 1 } : inode,
  );
  const blocks = new Map([
    [3, [first!, second!]],
    [9, [ref('1'), ref('1'), ref('2')]],
  ]);
  const newer = manifestOf({ inodes, blocks });
  expect(blocksToFetch(sampleManifest(), newer)).toEqual({ blocks: 2, bytes: blockSize + 1 });
  expect(blocksToFetch(newer, sampleManifest())).toEqual({ blocks: 0, bytes: 0 });
});

test('any two manifests differ when their dumps do, but for sizes and device numbers that mean nothing', () => {
  const inodeLines = (manifest: Parameters<typeof dumpLines>[0]) =>
    [...dumpLines(manifest.with({ tags: new Map() }))].map((line) =>
      line.replace(/,"(rdev|ctime)":\d+/g, ''),
    );
  fc.assert(
    fc.property(manifestArbitrary, manifestArbitrary, (a, b) => {
      expect([...diffEntries(a, a)]).toEqual([]);
      const isEqual = JSON.stringify(inodeLines(a)) === JSON.stringify(inodeLines(b));
      expect([...diffEntries(a, b)].length === 0).toBe(isEqual);
      const [there, back] = [[...diffEntries(a, b)], [...diffEntries(b, a)]];
      const swapped = { added: 'removed', removed: 'added', changed: 'changed' };
      expect(back.map(({ change, path }) => [change, path])).toEqual(
        there.map(({ change, path }) => [swapped[change], path]),
      );
    }),
    { numRuns: 200 },
  );
});
