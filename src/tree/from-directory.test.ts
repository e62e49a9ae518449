import { link, mkdir, mkdtempDisposable, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { treeFromDirectory } from './from-directory.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));

describe('treeFromDirectory', () => {
  test('reads kinds, modes and times as the machine has them', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await mkdir(path('dir'));
    await writeFile(path('dir/file'), 'data', { mode: 0o640 });
    await utimes(path('dir/file'), 1, 12.5);
    await symlink('../nowhere', path('dir/link'));
    await run('mkfifo', ['-m', '0600', path('fifo')]);
    const tree = await treeFromDirectory(scratch.path);
    expect([...tree.paths()]).toEqual(['', 'dir', 'dir/file', 'dir/link', 'fifo']);
    expect(tree.get('dir/file')).toMatchObject({
      kind: 'file',
      mode: 0o640,
      mtime: 12,
      mtimeNs: 500_000_000,
    });
    expect(tree.get('dir/link')).toMatchObject({ kind: 'symlink', target: '../nowhere' });
    expect(tree.get('fifo')).toMatchObject({ kind: 'fifo', mode: 0o600 });
  });

  test('reads sockets', async () => {
    await using scratch = await scratchDirectory();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(scratch.path, 'socket'), resolve));
    try {
      expect((await treeFromDirectory(scratch.path)).get('socket')!.kind).toBe('socket');
    } finally {
      server.close();
    }
  });

  test('reads devices', async () => {
    await using scratch = await scratchDirectory();
    await run('mknod', [join(scratch.path, 'null'), 'c', '1', '3']);
    const tree = await treeFromDirectory(scratch.path);
    expect(tree.get('null')).toMatchObject({ kind: 'character', major: 1, minor: 3 });
  });

  test('reads contents only when they are wanted, and shows when one has changed', async () => {
    await using scratch = await scratchDirectory();
    const file = join(scratch.path, 'file');
    await writeFile(file, 'data');
    const { content } = (await treeFromDirectory(scratch.path)).file('file')!;
    expect(content.file).toBe(file);
    expect(Buffer.from(await content.read()).toString()).toBe('data');
    await writeFile(file, 'other data');
    await expect(content.read()).rejects.toMatchObject({ kind: 'corrupt' });
  });

  test('makes names of one inode a group, but not a name whose others are elsewhere', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await mkdir(path('tree'));
    for (const name of ['outside', 'tree/b']) await writeFile(path(name), 'x');
    await link(path('tree/b'), path('tree/a'));
    await link(path('outside'), path('tree/c'));
    const tree = await treeFromDirectory(path('tree'));
    expect(['a', 'b', 'c'].map((name) => tree.file(name)!.hardLink)).toEqual(['a', 'a', undefined]);
  });

  test('fails clearly on what is no directory, and on names that are not UTF-8', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await writeFile(path('file'), '');
    const notFound = (message: string) => ({ kind: 'not-found', message: expect.stringContaining(message) });
    await expect(treeFromDirectory(path('none'))).rejects.toMatchObject(notFound('none does not exist'));
    await expect(treeFromDirectory(path('file'))).rejects.toMatchObject(notFound('file is not a directory'));
    await writeFile(Buffer.concat([Buffer.from(`${scratch.path}/`), Buffer.from([0xff])]), '');
    await expect(treeFromDirectory(scratch.path)).rejects.toThrow('is not UTF-8');
  });
});
