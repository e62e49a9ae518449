import { mkdir, mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { bytesContent } from './content.ts';
import { dumpTree } from './dump.ts';
import { treeFromDirectory } from './from-directory.ts';
import { sampleTree } from './sample.fixture.ts';
import { tarOf } from './to-tar.ts';
import { Tree } from './tree.ts';

const isRoot = process.geteuid?.() === 0;
const metadata = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };

async function archiveOf(tree: Tree): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of tarOf(tree)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a tar archive', () => {
  test('unpacked by tar is the tree, as root with owners and devices', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const tree = (
      isRoot ? sampleTree : sampleTree.select((_path, { kind }) => kind !== 'character' && kind !== 'block')
    ).map((_path, entry) => ({
      ...entry,
      mtimeNs: 123_456_789,
      ...(!isRoot && { uid: process.getuid!(), gid: process.getgid!() }),
    }));
    const target = join(scratch.path, 'tree');
    await mkdir(target);
    await run('tar', ['-C', target, '--numeric-owner', '-xpf', '-'], { input: await archiveOf(tree) });
    const found = (await treeFromDirectory(target)).with([['', tree.root]]);
    expect(await dumpTree(found)).toBe(await dumpTree(tree));
  });

  test('has extended attributes where tar looks for them', async () => {
    const xattrs = new Map([['user.note', Buffer.from('text')]]);
    const tree = Tree.from([['a', { kind: 'file', ...metadata, xattrs, content: bytesContent('') }]]);
    const { stdout } = await run('tar', ['--xattrs', '-tvvf', '-'], { input: await archiveOf(tree) });
    expect(stdout.toString()).toContain('x: 4 user.note');
  });

  test('has the same bytes whatever order its entries came in; a changed time shows', async () => {
    const bytes = await archiveOf(sampleTree);
    expect(bytes.equals(await archiveOf(Tree.from([...sampleTree].reverse())))).toBe(true);
    const later = sampleTree.map((path, entry) => (path === 'empty' ? { ...entry, mtime: 1 } : entry));
    expect(bytes.equals(await archiveOf(later))).toBe(false);
  });

  test('cannot hold a socket', async () => {
    const tree = Tree.from([['run/socket', { kind: 'socket', ...metadata }]]);
    await expect(archiveOf(tree)).rejects.toThrow('run/socket is a socket');
  });
});
