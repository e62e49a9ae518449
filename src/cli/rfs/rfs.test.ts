import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { run } from '../../base/exec.ts';
import { testDirectory } from '../../store/test-directory.ts';

const program = join(import.meta.dirname, '../rfs.ts');

async function rfs(...args: readonly string[]) {
  const { code, stdout, stderr } = await run(process.execPath, [program, ...args], { accept: [0, 1, 2] });
  return { code, out: stdout.toString(), error: stderr };
}

async function sample() {
  const directory = await testDirectory();
  const source = join(directory, 'source');
  await mkdir(join(source, 'dir'), { recursive: true });
  await writeFile(join(source, 'dir/file'), 'the content');
  await symlink('dir/file', join(source, 'link'));
  return { directory, source, meta: join(directory, 'test.fl'), store: `dir://${directory}/store` };
}

async function packed() {
  const files = await sample();
  expect(await rfs('pack', '-m', files.meta, '-s', files.store, files.source)).toMatchObject({ code: 0 });
  return files;
}

describe('rfs pack', () => {
  test('says what it packed, also as JSON', async () => {
    const { source, meta, store } = await sample();
    const first = await rfs('pack', '--meta', meta, '--store', store, '--json', source);
    expect(first).toMatchObject({ code: 0, error: '' });
    expect(JSON.parse(first.out)).toMatchObject({ files: 1, bytes: 11, blocks: 1, newBlocks: 1 });
    const second = await rfs('pack', '-m', meta, '-s', store, source);
    expect(second.out).toBe(`${meta}: 1 files, 11 B in 1 blocks; 0 blocks were new, 0 B stored\n`);
  });

  test('without a store is a usage error that writes nothing', async () => {
    const { source, meta } = await sample();
    const { code, error } = await rfs('pack', '-m', meta, source);
    expect(code).toBe(2);
    expect(error).toMatch(/^error: .*store.*\nhint: .*--store dir:/);
    await expect(readFile(meta)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('leaves out what it is told to, and changes nothing in a dry run', async () => {
    const { source, meta, store } = await sample();
    const options = ['-m', meta, '-s', store, '-e', 'link', '--exclude', '/dir/*', source];
    const dry = await rfs('pack', '--dry-run', ...options);
    expect(dry).toMatchObject({ code: 0, out: expect.stringContaining('0 blocks would be new') });
    await expect(readFile(meta)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await rfs('pack', ...options)).toMatchObject({ code: 0 });
    expect((await rfs('flist', 'tree', meta)).out).toBe('/\n  dir/\n');
  });

  test('takes a tar archive, and packs the same flist as from the directory', async () => {
    const { directory, source, meta, store } = await packed();
    const [archive, other] = [join(directory, 'source.tar.gz'), join(directory, 'other.fl')];
    await run('tar', ['--format=pax', '-C', source, '-czf', archive, '.']);
    expect(await rfs('pack', '-m', other, '-s', store, archive)).toMatchObject({ code: 0, error: '' });
    expect(await readFile(other)).toEqual(await readFile(meta));
  });

  test('publishes the previous flist again when nothing has changed', async () => {
    const { source, meta, store } = await packed();
    const before = await readFile(meta);
    const again = await rfs('pack', '-m', meta, '-s', store, '--previous', meta, '--check-previous', source);
    expect(again.out).toMatch(/; the flist is the previous one\n$/);
    expect(await readFile(meta)).toEqual(before);
  });

  test('ends at a signal with an error, without a flist and without half-written files', async () => {
    const { directory, source, meta, store } = await sample();
    await writeFile(join(source, 'large'), Buffer.alloc(1 << 20));
    await run('truncate', ['-s', '200G', join(source, 'large')]);
    const child = spawn(process.execPath, [program, 'pack', '-m', meta, '-s', store, source]);
    const ended = once(child, 'close');
    const printed: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => printed.push(chunk));
    while ((await readdir(directory, { recursive: true })).length < 7) await setTimeout(10);
    child.kill('SIGINT');
    expect(await ended).toEqual([1, null]);
    expect(Buffer.concat(printed).toString()).toMatch(/^error: interrupted by SIGINT\nhint: run .* again/);
    const names = await readdir(directory, { recursive: true });
    expect(names.filter((name) => name.endsWith('.tmp') || name.endsWith('.fl'))).toEqual([]);
  });

  test('of a directory that is not there fails and keeps the former flist', async () => {
    const { directory, meta, store } = await packed();
    const before = await readFile(meta);
    const { code, error } = await rfs('pack', '-m', meta, '-s', store, join(directory, 'absent'));
    expect({ code, error }).toEqual({ code: 1, error: expect.stringContaining('absent') });
    expect(await readFile(meta)).toEqual(before);
  });
});

describe('rfs unpack', () => {
  test('writes what was packed', async () => {
    const { directory, source, meta } = await packed();
    const out = join(directory, 'out');
    const unpacked = await rfs('unpack', '-m', meta, '-c', join(directory, 'cache'), out);
    expect(unpacked).toEqual({ code: 0, out: `${out}: 1 files, 11 B\n`, error: '' });
    await run('diff', ['-r', '--no-dereference', source, out]);
  });

  test('reads from another store when told to', async () => {
    const { directory, source, meta } = await packed();
    await rfs('config', '-m', meta, 'store', 'delete', '--all');
    const out = join(directory, 'out');
    const options = ['-m', meta, '-c', join(directory, 'cache'), out];
    const without = await rfs('unpack', ...options);
    expect(without).toMatchObject({ code: 1, error: expect.stringContaining('cannot read dir/file') });
    await rfs('unpack', '-s', `dir://${directory}/store`, ...options);
    await run('diff', ['-r', '--no-dereference', source, out]);
  });
});

describe('rfs flist', () => {
  test('tree shows the names, without pictures when piped', async () => {
    const { meta } = await packed();
    const { out } = await rfs('flist', 'tree', meta);
    expect(out).toBe('/\n  dir/\n    file\n  link -> dir/file\n');
  });

  test('inspect shows entries and totals, also as JSON', async () => {
    const { meta } = await packed();
    const { out } = await rfs('flist', 'inspect', meta);
    expect(out).toMatch(/\/dir\/file\n {2}type: +file\n/);
    expect(out).toMatch(/\n\nfiles: +1\ndirectories: +2\nsymlinks: +1\ntotal size: +11 B/);
    const { entries, summary } = JSON.parse((await rfs('flist', 'inspect', '--json', meta)).out);
    expect(entries.map(({ path }: { path: string }) => path)).toEqual(['/', '/dir', '/dir/file', '/link']);
    expect(summary).toMatchObject({ files: 1, bytes: 11 });
  });

  test('of a file that is no flist fails with a hint', async () => {
    const { source } = await packed();
    const { code, error } = await rfs('flist', 'tree', join(source, 'dir/file'));
    expect(code).toBe(1);
    expect(error).toMatch(/^error: .*no valid manifest.*\nhint: /);
  });
});

describe('rfs config', () => {
  test('sets, lists and deletes tags', async () => {
    const { meta } = await packed();
    const tag = (...args: string[]) => rfs('config', '-m', meta, 'tag', ...args);
    expect(await tag('list')).toEqual({ code: 0, out: '', error: '' });
    await tag('add', '-t', 'b=1', '-t', 'a=x=y');
    await tag('add', '-t', 'b=2');
    expect((await tag('list')).out).toBe('tags:\n\ta=x=y\n\tb=2\n');
    await tag('delete', '-k', 'a');
    expect(JSON.parse((await tag('list', '--json')).out)).toEqual({ b: '2' });
    await tag('delete', '--all');
    expect((await tag('list')).out).toBe('');
  });

  test('adds, lists and deletes stores', async () => {
    const { meta, store } = await packed();
    const config = (...args: string[]) => rfs('config', '-m', meta, 'store', ...args);
    await config('add', '-s', '80-FF=https://user:pass@host/blocks');
    expect((await config('list')).out).toBe(
      `routes:\n\trange:[0-255] store:${store}\n\trange:[128-255] store:https://user:pass@host/blocks\n`,
    );
    await config('delete', '-s', store);
    expect((await config('list')).out).not.toContain(store);
  });

  test.each([
    [['tag', 'add', '-t', 'novalue']],
    [['tag', 'delete']],
    [['store', 'delete']],
    [['store', 'add', '-s', 'nowhere']],
    [['tag', 'list', 'surplus']],
  ])('%j is a usage error', async (args) => {
    expect((await rfs('config', '-m', '/absent.fl', ...args)).code).toBe(2);
  });

  test('makes no flist where there is none', async () => {
    const absent = join(await testDirectory(), 'absent.fl');
    const { code, error } = await rfs('config', '-m', absent, 'tag', 'add', '-t', 'a=b');
    expect({ code, error }).toEqual({ code: 1, error: expect.stringContaining('no manifest') });
    await expect(readFile(absent)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
