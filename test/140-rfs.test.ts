import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmod,
  lchown,
  link,
  mkdir,
  readdir,
  readFile,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../src/base/exec.ts';
import { environment, expectRefusal, printed, printedJson, repository, rfs } from './shared/commands.ts';
import { ended, mountOn, processesAbout } from './shared/mounts.ts';
import { scratch, temporary } from './shared/projects.ts';

/** A packed tree: `DIR`, `t.fl` and `store` as in the manual, and a cache and a temporary directory of its own. */
interface Packed {
  readonly root: string;
  readonly source: string;
  readonly manifest: string;
  readonly store: string;
  readonly cache: string;
  readonly env: Record<string, string>;
}

const blockSize = 512 * 1024;

/** Bytes that no compression makes smaller; the same in every run. */
const noise = (label: string, length: number) =>
  createHash('shake256', { outputLength: length }).update(label).digest();

/** Every kind of file, with the sizes and names at which a format may break. */
async function makeTree(directory: string): Promise<void> {
  await mkdir(join(directory, 'a/deep/er'), { recursive: true });
  await mkdir(join(directory, 'empty directory'));
  const files: [string, Uint8Array | string][] = [
    ['empty', ''],
    ['one', 'x'],
    ['text', 'the content\n'.repeat(1000)],
    ['a/one-block', noise('one', blockSize)],
    ['a/one-block-and-a-byte', noise('more', blockSize + 1)],
    ['a/deep/er/three-blocks', noise('three', 2 * blockSize + 4711)],
    ['a/same-again', noise('one', blockSize)],
    ['-dash', 'dash'],
    ['with space, "quotes" and $(dollar)', 'odd'],
    ['new\nline', 'odd'],
    ['überall ☃', 'not ASCII'],
    ['n'.repeat(255), 'as long as a name can be'],
  ];
  for (const [name, content] of files) await writeFile(join(directory, name), content);
  await writeFile(join(directory, 'sparse'), 'start');
  await truncate(join(directory, 'sparse'), 3 * blockSize + 5);
  await link(join(directory, 'text'), join(directory, 'a/hard-link'));
  await symlink('text', join(directory, 'link'));
  await symlink('/nowhere/at/all', join(directory, 'dangling'));
  await symlink('../a/deep', join(directory, 'empty directory/up'));
  await run('mkfifo', [join(directory, 'pipe')]);
  await run('mknod', [join(directory, 'null'), 'c', '1', '3']);
  await run('mknod', [join(directory, 'disk'), 'b', '259', '300']);
  await chmod(join(directory, 'one'), 0o4751);
  await chmod(join(directory, 'a/deep'), 0o1777);
  await chmod(join(directory, 'empty'), 0);
  await lchown(join(directory, 'link'), 1000, 100);
  await lchown(join(directory, 'text'), 65534, 2 ** 31);
}

async function pack(name: string, fill = makeTree): Promise<Packed> {
  const root = await scratch(name);
  for (const directory of ['DIR', 'tmp']) await mkdir(join(root, directory));
  const packed = {
    root,
    source: join(root, 'DIR'),
    manifest: join(root, 't.fl'),
    store: join(root, 'store'),
    cache: join(root, 'cache'),
    env: { TMPDIR: join(root, 'tmp') },
  };
  await fill(packed.source);
  const { manifest, store, source, env } = packed;
  printed(await rfs(['pack', '-m', manifest, '-s', `dir://${store}`, source], { env }));
  return packed;
}

/** Whether two trees are equal: names, kinds, modes, owners, whole seconds of times, devices, link targets, contents. */
async function expectSameTree(found: string, expected: string): Promise<void> {
  // diff(1) takes no special file for equal to another; the lists below have them.
  const special = ['pipe', 'null', 'disk'].map((name) => `--exclude=${name}`);
  const args = ['-r', '--no-dereference', ...special, expected, found];
  expect((await run('diff', args, { accept: [0, 1] })).stdout.toString()).toBe('');
  expect(await describeTree(found)).toEqual(await describeTree(expected));
}

async function describeTree(directory: string): Promise<string[]> {
  const format = '%P|%y|%m|%U|%G|%Ts|%l\\0';
  const { stdout } = await run('find', [directory, '-printf', format]);
  const { stdout: devices } = await run('find', [directory, '-type', 'b', '-o', '-type', 'c', '-print0']);
  const numbers = devices
    .toString()
    .split('\0')
    .filter((path) => path !== '')
    .map(async (path) =>
      (await run('stat', ['-c', '%n %t:%T', path])).stdout.toString().slice(directory.length),
    );
  return [...stdout.toString().split('\0').sort(), ...(await Promise.all(numbers)).sort()];
}

/** Nothing that this flist's commands could have left: no mount, no process, no temporary file. */
async function expectNothingLeft({ root, env, store, cache }: Packed, mountpoint: string): Promise<void> {
  expect(await mountOn(mountpoint)).toBeUndefined();
  await expect.poll(() => processesAbout(root), { timeout: 5000 }).toEqual([]);
  expect(await readdir(env['TMPDIR']!)).toEqual([]);
  const namesIn = (directory: string) => readdir(directory, { recursive: true });
  expect((await namesIn(store)).filter((name) => !blockPath.test(name))).toEqual([]);
  expect((await namesIn(cache)).filter((name) => !blockPath.test(name) && !cachePath.test(name))).toEqual([]);
}

/** A block, or a directory of some. */
const blockPath = /^([0-9a-f]{2}\/)*([0-9a-f]{2}|[0-9a-f]{64})$/;
/** What a cache has beside blocks (docs/cache.md): whole files, parts of some, and what it knows of all. */
const cachePath = /^(files(\/[0-9a-f]{2}(\/[0-9a-f]{64}(\.part|\.map)?)?)?|state(\/[\w-]+)*)$/;

async function mountpointIn({ root }: Packed): Promise<string> {
  const mountpoint = join(root, 'mnt');
  await mkdir(mountpoint, { recursive: true });
  onTestFinished(async () => void (await run('umount', ['-l', mountpoint], { accept: [0, 1, 32] })));
  return mountpoint;
}

let packed: Packed;
beforeAll(async () => {
  packed = await pack('rfs');
});

describe('rfs flist', () => {
  test('tree shows every name', async () => {
    const text = printed(await rfs(['flist', 'tree', packed.manifest], { env: packed.env }));
    expect(text).toMatch(/^\/\n/);
    for (const line of [
      'a/',
      'deep/',
      'three-blocks',
      'link -> text',
      'dangling -> /nowhere/at/all',
      'überall ☃',
    ])
      expect(text.split('\n').map((each) => each.trim())).toContain(line);
    expect(text).not.toMatch(/\nline/);
  });

  test('inspect shows every entry, and sums that find(1) confirms', async () => {
    const { entries, summary } = printedJson(await rfs(['flist', 'inspect', '--json', packed.manifest]));
    const count = async (...tests: string[]) =>
      (await run('find', [packed.source, ...tests, '-printf', 'x'])).stdout.length;
    expect(entries).toHaveLength(await count());
    expect(summary).toMatchObject({ files: await count('-type', 'f') });
    expect(printed(await rfs(['flist', 'inspect', packed.manifest]))).toMatch(
      /^\/link\n {2}type: +symlink[\s\S]*\nfiles: +\d+\n/m,
    );
  });
});

describe('rfs mount', () => {
  test('--daemon shows what was packed, and umount leaves nothing behind', async () => {
    const mountpoint = await mountpointIn(packed);
    const { manifest, cache, env } = packed;
    const answer = await rfs(['mount', '-m', manifest, '-c', cache, '--daemon', mountpoint], { env });
    expect(answer).toEqual({ code: 0, stdout: '', stderr: '' });
    const mount = await mountOn(mountpoint);
    expect(mount?.type).toBe('fuse.g8ufs');
    await expectSameTree(mountpoint, packed.source);
    await run('umount', [mountpoint]);
    await ended(mount!.pid);
    await expectNothingLeft(packed, mountpoint);
  });

  test('in the foreground serves until it is interrupted, and leaves nothing behind', async () => {
    const mountpoint = await mountpointIn(packed);
    const { manifest, cache, env } = packed;
    const server = spawn(join(repository, 'rfs'), ['mount', '-m', manifest, '-c', cache, mountpoint], {
      env: environment(env),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    onTestFinished(() => void server.kill('SIGKILL'));
    await run('sh', [
      '-c',
      'until mountpoint -q "$1"; do kill -0 "$2" && sleep 0.05; done',
      'sh',
      mountpoint,
      `${server.pid}`,
    ]);
    await expectSameTree(mountpoint, packed.source);
    server.kill('SIGINT');
    expect(await once(server, 'exit')).toEqual([0, null]);
    await expectNothingLeft(packed, mountpoint);
  });

  test('is read-only, and says so', async () => {
    const mountpoint = await mountpointIn(packed);
    await rfs(['mount', '-m', packed.manifest, '-c', packed.cache, '-d', mountpoint]);
    const { pid } = (await mountOn(mountpoint))!;
    await expect(writeFile(join(mountpoint, 'new'), '')).rejects.toMatchObject({ code: 'EROFS' });
    await expect(chmod(join(mountpoint, 'one'), 0)).rejects.toMatchObject({ code: 'EROFS' });
    await run('umount', [mountpoint]);
    await ended(pid);
  });

  test('answers EIO where a block is corrupt, and the other files can be read', async () => {
    const damaged = await pack('damaged');
    await corrupt(await blockOf(damaged, 'a/one-block-and-a-byte'));
    const mountpoint = await mountpointIn(damaged);
    await rfs(['mount', '-m', damaged.manifest, '-c', damaged.cache, '-d', mountpoint]);
    const { pid } = (await mountOn(mountpoint))!;
    const read = (name: string) => readFile(join(mountpoint, name));
    await expect(read('a/one-block-and-a-byte')).rejects.toMatchObject({ code: 'EIO' });
    await expect(read('a/one-block-and-a-byte')).rejects.toMatchObject({ code: 'EIO' });
    for (const name of ['text', 'a/one-block', 'a/deep/er/three-blocks', 'sparse'])
      expect((await read(name)).equals(await readFile(join(damaged.source, name)))).toBe(true);
    await run('umount', [mountpoint]);
    await ended(pid);
    await expectNothingLeft(damaged, mountpoint);
  });
});

describe('rfs unpack', () => {
  test('writes what was packed', async () => {
    const target = join(await temporary('unpacked'), 'copy');
    const args = ['unpack', '-m', packed.manifest, '-c', packed.cache, '--preserve-ownership', target];
    printed(await rfs(args, { env: packed.env }));
    await expectSameTree(target, packed.source);
    await expectNothingLeft(packed, target);
  });

  test('of a corrupt block fails with its name and leaves no such file', async () => {
    const damaged = await pack('damaged', (directory) =>
      writeFile(join(directory, 'file'), noise('x', 100_000)),
    );
    await corrupt(await blockOf(damaged, 'file'));
    const target = join(damaged.root, 'copy');
    expectRefusal(await rfs(['unpack', '-m', damaged.manifest, '-c', damaged.cache, target]), {
      code: 1,
      error: /cannot read file.*corrupt|damaged|does not/,
      hint: /./,
    });
    expect(await readdir(target).catch(() => [])).toEqual([]);
  });
});

describe('rfs pack', () => {
  test('of the same tree gives the same bytes, and puts nothing into the store a second time', async () => {
    const again = join(packed.root, 'again.fl');
    const args = ['pack', '--json', '-m', again, '-s', `dir://${packed.store}`, packed.source];
    expect(printedJson(await rfs(args, { env: packed.env }))).toMatchObject({ newBlocks: 0, storedBytes: 0 });
    expect((await readFile(again)).equals(await readFile(packed.manifest))).toBe(true);
  });
});

describe('rfs config', () => {
  test('sets, lists and deletes tags and stores; the files stay the same', async () => {
    const manifest = join(await temporary('config'), 'c.fl');
    await writeFile(manifest, await readFile(packed.manifest));
    const config = async (...args: string[]) => printed(await rfs(['config', '-m', manifest, ...args]));
    expect(await config('tag', 'list')).toBe('');
    await config('tag', 'add', '-t', 'author=me', '-t', 'version=1');
    expect(await config('tag', 'list')).toBe('tags:\n\tauthor=me\n\tversion=1\n');
    await config('tag', 'delete', '-k', 'author');
    expect(await config('tag', 'list')).toBe('tags:\n\tversion=1\n');

    const first = `\trange:[0-255] store:dir://${packed.store}\n`;
    expect(await config('store', 'list')).toBe(`routes:\n${first}`);
    await config('store', 'add', '-s', '00-7f=http://127.0.0.1:1/blocks');
    expect(await config('store', 'list')).toBe(
      `routes:\n${first}\trange:[0-127] store:http://127.0.0.1:1/blocks\n`,
    );
    await config('store', 'delete', '-s', 'http://127.0.0.1:1/blocks');
    expect(await config('store', 'list')).toBe(`routes:\n${first}`);
    expect(printed(await rfs(['flist', 'tree', manifest]))).toBe(
      printed(await rfs(['flist', 'tree', packed.manifest])),
    );
  });
});

/** The path in the store of the first block of a file, from the manifest by sqlite3(1). */
async function blockOf({ manifest, store }: Packed, path: string): Promise<string> {
  const name = path.split('/').at(-1);
  const query = `SELECT lower(hex(id)) FROM block JOIN inode USING (ino) WHERE name = '${name}' ORDER BY block.rowid LIMIT 1`;
  const id = (await run('sqlite3', [manifest, query])).stdout.toString().trim();
  expect(id).toMatch(/^[0-9a-f]{64}$/);
  return join(store, id.slice(0, 2), id);
}

async function corrupt(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(file, bytes);
}
