import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { link, mkdir, mkdtempDisposable, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { loadLibc } from '../base/libc.ts';
import { decodeName, encodeName } from '../base/names.ts';
import { lookAgain, lookAtXattrs, walkDirectory } from './walk-directory.ts';

const scratchDirectory = () => mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));

describe('walkDirectory', () => {
  test('goes depth first, the names of a directory in byte order', async () => {
    await using scratch = await scratchDirectory();
    for (const path of ['usr/bin', 'usr-old', 'usr/é', 'usr/z', 'Usr', 'usr.d'])
      await mkdir(join(scratch.path, path), { recursive: true });
    expect([...walkDirectory(scratch.path)].map(([path]) => path)).toEqual([
      ...['', 'Usr', 'usr', 'usr/bin', 'usr/z', 'usr/é', 'usr-old', 'usr.d'],
    ]);
  });

  test('finds what find(1) finds, to the nanosecond', async () => {
    await using scratch = await scratchDirectory();
    const path = (name: string) => join(scratch.path, name);
    await mkdir(path('dir/deep'), { recursive: true });
    await writeFile(path('dir/file'), 'data', { mode: 0o4640 });
    await writeFile(path('dir/deep/empty'), '');
    await symlink('../nowhere', path('dir/link'));
    await link(path('dir/file'), path('second name'));
    await run('touch', ['-h', '-d', '2001-02-03 04:05:06.123456789 UTC', path('dir/link')]);
    await utimes(path('dir'), 1, -1.5);
    const { stdout } = await run('find', [scratch.path, '-printf', '%P\t%#m\t%U\t%G\t%T@\t%y\t%l\n']);
    const found = [...walkDirectory(scratch.path)].map(([path, entry]) => {
      const { kind, mode, uid, gid, mtime, mtimeNs = 0 } = entry;
      const time = BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNs);
      const letter = { directory: 'd', file: 'f', symlink: 'l' }[kind as 'file'];
      return [path, mode, uid, gid, time, letter, kind === 'symlink' ? entry.target : ''];
    });
    const expected = stdout
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [path, mode, uid, gid, time, letter, target] = line.split('\t') as string[];
        return [
          path,
          Number.parseInt(mode!, 8),
          Number(uid),
          Number(gid),
          nanoseconds(time!),
          letter,
          target,
        ];
      });
    expect(found.sort()).toEqual(expected.sort());
  });

  test('gives names that are not UTF-8 back as their bytes, and reads those files', async () => {
    await using scratch = await scratchDirectory();
    const name = Buffer.from([0x61, 0xff, 0xc3, 0xa9, 0x80]);
    writeFileSync(Buffer.concat([Buffer.from(`${scratch.path}/`), name]), 'data');
    mkdirSync(Buffer.concat([Buffer.from(`${scratch.path}/`), Buffer.from([0xfe])]));
    writeFileSync(Buffer.concat([Buffer.from(`${scratch.path}/`), Buffer.from([0xfe, 0x2f, 0x62])]), '');
    const entries = [...walkDirectory(scratch.path)];
    expect(entries.map(([path]) => encodeName(path).toString('hex'))).toEqual([
      '',
      name.toString('hex'),
      'fe',
      'fe2f62',
    ]);
    const file = entries[1]![1];
    expect(file.kind === 'file' && Buffer.from(await file.content.read()).toString()).toBe('data');
    expect(lookAgain(scratch.path, decodeName(name))).toMatchObject({ kind: 'file', content: { size: 4 } });
  });

  test('leaves extended attributes to who asks for those of a path', async () => {
    await using scratch = await scratchDirectory();
    const file = join(scratch.path, 'file');
    await writeFile(file, '');
    await run('setfattr', ['-n', 'user.one', '-v', 'value', file]);
    const libc = (await loadLibc())!;
    expect(lookAtXattrs(scratch.path, 'file', libc)).toEqual(
      new Map([['user.one', Uint8Array.from(Buffer.from('value'))]]),
    );
    expect(lookAtXattrs(scratch.path, '', libc)).toBeUndefined();
    expect(() => lookAtXattrs(scratch.path, 'gone', libc)).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    );
    expect([...walkDirectory(scratch.path)][1]![1].xattrs).toBeUndefined();
  });

  test('stays on one file system when told to', async () => {
    await using scratch = await scratchDirectory();
    const other = join(scratch.path, 'other');
    await mkdir(other);
    await run('mount', ['-t', 'tmpfs', 'tmpfs', other]);
    try {
      await writeFile(join(other, 'inside'), '');
      const paths = (oneFileSystem: boolean) =>
        [...walkDirectory(scratch.path, { oneFileSystem })].map(([path]) => path);
      expect(paths(false)).toEqual(['', 'other', 'other/inside']);
      expect(paths(true)).toEqual(['', 'other']);
    } finally {
      await run('umount', [other]);
    }
  });

  test('goes on past what vanishes or cannot be read when somebody takes the problem, and else ends', async () => {
    await using scratch = await scratchDirectory();
    for (const name of ['a', 'b', 'c']) await mkdir(join(scratch.path, name));
    const found: string[] = [];
    const problems: string[] = [];
    const walk = (onProblem?: (path: string, error: Failure) => void) => {
      for (const [path] of walkDirectory(scratch.path, { onProblem })) {
        found.push(path);
        if (path === 'a') renameSync(join(scratch.path, 'b'), join(scratch.path, 'B'));
      }
    };
    walk((path, { kind }) => problems.push(`${path}: ${kind}`));
    expect(found).toEqual(['', 'a', 'c']);
    expect(problems).toEqual(['b: not-found']);
    renameSync(join(scratch.path, 'B'), join(scratch.path, 'b'));
    expect(() => walk()).toThrow(expect.objectContaining({ kind: 'not-found' }));
  });

  test('says what is no directory', () => {
    expect(() => [...walkDirectory('/absent')]).toThrow('/absent does not exist');
    expect(() => [...walkDirectory('/proc/version')]).toThrow('/proc/version is not a directory');
  });

  test('looking again shows what is there now, or nothing', async () => {
    await using scratch = await scratchDirectory();
    const file = join(scratch.path, 'file');
    await writeFile(file, '1');
    chmodSync(file, 0o600);
    expect(lookAgain(scratch.path, 'file')).toMatchObject({ mode: 0o600, content: { size: 1, file } });
    rmSync(file);
    expect(lookAgain(scratch.path, 'file')).toBeUndefined();
    expect(lookAgain(scratch.path, 'file/below')).toBeUndefined();
  });
});

function nanoseconds(time: string): bigint {
  const [, sign, seconds, fraction] = /^(-?)(\d+)\.(\d{9})/.exec(time)!;
  const value = BigInt(seconds!) * 1_000_000_000n + BigInt(fraction!);
  return sign ? -value : value;
}
