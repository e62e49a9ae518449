import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { Tree } from '../tree/tree.ts';
import { busyboxApplets, linkBusybox } from './busybox.ts';
import { textEntry } from './entries.ts';

const table = (...names: string[]) =>
  Buffer.from(`garbage\0${['[', '[[', ...names].join('\0')}\0\0more`, 'latin1');

describe('the applets of a busybox', () => {
  test('are those that the binary itself lists', async () => {
    const path = (await run('sh', ['-c', 'command -v busybox'])).stdout.toString().trim();
    const listed = execFileSync(path, ['--list']).toString().trim().split('\n');
    expect(busyboxApplets(await readFile(path))).toEqual(listed);
  });

  test('come from the table that has a shell, not from a text that looks like one', () => {
    const binary = Buffer.concat([table('only', 'words'), table('mount', 'sh', 'true')]);
    expect(busyboxApplets(binary)).toEqual(['[', '[[', 'mount', 'sh', 'true']);
  });

  test('are refused for a binary without any', () => {
    expect(() => busyboxApplets(Buffer.from('no busybox'))).toThrowError(
      expect.objectContaining({ kind: 'corrupt' }),
    );
  });
});

describe('the links to busybox', () => {
  test('leave the names of real programs alone', async () => {
    const root = Tree.from([
      ['usr/bin/busybox', textEntry(table('modprobe', 'mount', 'sh'), 0o755)],
      ['usr/sbin/modprobe', textEntry('the real one', 0o755)],
    ]);
    const linked = await linkBusybox(root);
    expect(linked.get('usr/bin/sh')).toMatchObject({ kind: 'symlink', target: 'busybox' });
    expect(linked.has('usr/bin/modprobe')).toBe(false);
  });

  test('need a busybox', async () => {
    await expect(linkBusybox(Tree.empty)).rejects.toThrowError(
      expect.objectContaining({ kind: 'config', hint: expect.stringContaining('packages.list') }),
    );
  });
});
