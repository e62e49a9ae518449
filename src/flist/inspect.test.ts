import { describe, expect, test } from 'vitest';
import { formatEntry, formatSummary, inspectEntries, inspectSummary } from './inspect.ts';
import { manifestOf } from './manifest/manifest.ts';
import { sampleManifest, sampleRows } from './manifest/test-manifest.ts';
import { treeLines } from './tree-view.ts';

describe('inspecting', () => {
  test('lists every entry by path, with its metadata', () => {
    const entries = [...inspectEntries(sampleManifest())];
    expect(entries.map(({ path, type, permissions }) => `${permissions} ${type} ${path}`)).toEqual([
      'rwxr-xr-x directory /',
      'rwxrwxrwt directory /dir',
      'rwsr-xr-x file /dir/file',
      'rwxrwxrwx symlink /dir/link',
      'rw------- fifo /fifo',
      'rw-rw-rw- character /null',
      'rw-rw---- block /sda',
      'rw------- socket /socket',
      'rw-r--r-- file /ünïcode 📦',
    ]);
    expect(entries[2]).toEqual({
      path: '/dir/file',
      type: 'file',
      inode: 3,
      name: 'file',
      size: 524289,
      uid: 1000,
      gid: 2,
      mode: '104755',
      permissions: 'rwsr-xr-x',
      created: '2023-11-14T22:13:20Z',
      modified: '2023-11-14T22:13:20Z',
    });
    expect(entries[3]).toMatchObject({ target: 'file' });
    expect(entries[5]).toMatchObject({ device: '1:3' });
  });

  test('sums up', () => {
    const summary = inspectSummary(sampleManifest());
    expect(summary).toEqual({ files: 2, directories: 2, symlinks: 1, others: 4, bytes: 524289, blocks: 2 });
    expect(formatSummary(summary)).toContain('total size:   512 KiB (524289 bytes)');
  });

  test('shows control characters of a name as escapes', () => {
    const { inodes, ...rest } = sampleRows();
    const evil = inodes.map((inode) => (inode.ino === 5 ? { ...inode, name: 'a\u001b[2Jb\nc' } : inode));
    const manifest = manifestOf({ ...rest, inodes: evil });
    const entry = [...inspectEntries(manifest)].find(({ inode }) => inode === 5)!;
    expect(formatEntry(entry)[0]).toBe('/a\\u{1b}[2Jb\\u{a}c');
    expect([...treeLines(manifest)]).toContain('  a\\u{1b}[2Jb\\u{a}c');
  });
});

test('the tree view indents names below their directory', () => {
  expect([...treeLines(sampleManifest())].slice(0, 5)).toEqual([
    '/',
    '  dir/',
    '    file',
    '    link -> file',
    '  fifo',
  ]);
  expect([...treeLines(sampleManifest(), { pictures: true })].slice(0, 5)).toEqual([
    '📁 /',
    '  📁 dir',
    '    📄 file',
    '    🔗 link -> file',
    '  ❓ fifo',
  ]);
});
