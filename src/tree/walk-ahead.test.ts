import { once } from 'node:events';
import { link, mkdir, mkdtempDisposable, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import type { Entry } from './tree.ts';
import { WalkAhead, type WalkAheadOptions } from './walk-ahead.ts';
import { walkDirectory } from './walk-directory.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));

async function walked(directory: string, options: WalkAheadOptions = {}) {
  const walk = new WalkAhead(directory, options);
  const entries: (readonly [string, Entry])[] = [];
  try {
    for await (const batch of walk.batches()) entries.push(...batch);
  } finally {
    await walk.close();
  }
  return entries;
}

describe('WalkAhead', () => {
  test('finds what walkDirectory finds, of all kinds, with the same options', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await mkdir(path('dir/deep'), { recursive: true });
    await writeFile(path('dir/file'), 'data', { mode: 0o4640 });
    await writeFile(path('dir/left out'), '');
    await symlink('../nowhère', path('dir/link'));
    await symlink('x', path('first link'));
    await link(path('dir/file'), path('second name'));
    await run('mkfifo', [path('fifo')]);
    await run('mknod', [path('disk'), 'b', '259', '1048575']);
    await run('touch', ['-h', '-d', '1969-02-03 04:05:06.123456789 UTC', path('dir/link')]);
    await writeFile(Buffer.concat([Buffer.from(path('odd ')), Buffer.of(0xff)]), '');
    const server = createServer().listen(path('socket'));
    await once(server, 'listening');
    try {
      const options = { exclude: ['left*'], oneFileSystem: true };
      const expected = [...walkDirectory(scratch.path, options)];
      expect(expected.map(([, { kind }]) => kind).sort()).toEqual([
        ...['block', 'directory', 'directory', 'directory', 'fifo', 'file', 'file', 'file'],
        ...['socket', 'symlink', 'symlink'],
      ]);
      expect(await walked(scratch.path, options)).toEqual(expected);
      expect(await walked(scratch.path, { ...options, mostAhead: 1 })).toEqual(expected);
    } finally {
      server.close();
    }
  });

  test('waits when it is ahead, and can be ended then', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    for (let i = 1000; i < 1600; i++) await mkdir(path(`${i}`));
    const walk = new WalkAhead(scratch.path, { mostAhead: 256 });
    const batches = walk.batches();
    const entries = [...(await batches.next()).value!];
    await writeFile(path('1599/late'), '');
    for (let i = 0; i < 300; i++) entries.push(...(await batches.next()).value!);
    expect(entries.at(-1)![0]).toBe('1299');
    await walk.close();
    expect((await walked(scratch.path, { mostAhead: 256 })).at(-1)![0]).toBe('1599/late');
  });

  test('says what cannot be read and goes on, or ends when nobody takes that', async () => {
    await using scratch = await scratchDirectory();
    await writeFile(join(scratch.path, 'last'), '');
    // A path that is too long for any call: one half of it is moved below the other.
    const half = Array(9).fill('d'.repeat(250)).join('/');
    await mkdir(join(scratch.path, 'deep', half), { recursive: true });
    await mkdir(join(scratch.path, 'moved', half), { recursive: true });
    await rename(join(scratch.path, 'moved'), join(scratch.path, 'deep', half, 'moved'));
    try {
      const problems: string[] = [];
      const onProblem: WalkAheadOptions['onProblem'] = (path, failure) =>
        problems.push(`${path.length} ${failure.message.slice(0, 11)}`);
      const entries = await walked(scratch.path, { onProblem });
      expect(entries.at(-1)![0]).toBe('last');
      expect(problems).toEqual([expect.stringMatching(/^\d{4} cannot read$/)]);
      await expect(walked(scratch.path)).rejects.toMatchObject({ kind: 'failed' });
    } finally {
      await run('rm', ['-r', join(scratch.path, 'deep')]);
    }
  });

  test('says what is no directory', async () => {
    await expect(walked('/absent')).rejects.toMatchObject({
      kind: 'not-found',
      message: '/absent does not exist',
    });
  });
});
