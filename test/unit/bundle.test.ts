/** How the launcher `rfs` runs the sources of a checkout from one file: never others than are there, and also where it cannot. */
import { globSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { root } from './markdown.ts';

let checkout: string;
let bundles: string;

beforeAll(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'zosbuilder-bundle-'));
  bundles = join(checkout, 'node_modules/.cache/rfs');
  for (const name of ['src', 'tools', 'rfs', 'package.json', 'package-lock.json'])
    await cp(join(root, name), join(checkout, name), { recursive: true });
  for (const name of globSync('node_modules/{[^@.]*,@*/*}', { cwd: root })) {
    await mkdir(dirname(join(checkout, name)), { recursive: true });
    await symlink(join(root, name), join(checkout, name));
  }
  await writeFile(join(checkout, 'node_modules/.zosbuilder-ready'), '');
});

beforeEach(() => rm(dirname(bundles), { recursive: true, force: true }));

afterAll(() => rm(checkout, { recursive: true, force: true }));

const rfs = (...args: string[]) =>
  run(join(checkout, 'rfs'), args, { cwd: '/', accept: [0, 1, 2], timeout: 60_000 });

/** Where the code of a start lies. */
async function ranFrom(): Promise<'bundle' | 'sources'> {
  const { stderr } = await rfs('dump', 'nowhere.fl', '--debug');
  expect(stderr).toMatch(/^error: /);
  if (/node_modules\/\.cache\/rfs\/\w+\/rfs\.cjs:/.test(stderr)) return 'bundle';
  expect(stderr).toContain(`${checkout}/src/`);
  return 'sources';
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

test('the first start makes the bundle and runs from it, with its threads', async () => {
  expect(await ranFrom()).toBe('bundle');
  const [manifest, store, copy] = ['manifest.fl', 'store', 'copy'].map((name) => join(checkout, name));
  await rfs('pack', '-m', manifest!, '-s', `dir://${store}`, join(checkout, 'src/base'));
  expect((await rfs('verify', manifest!)).code).toBe(0);
  await rfs('unpack', '-m', manifest!, copy!);
  await run('diff', ['-r', join(checkout, 'src/base'), copy!]);
});

test('a source that was changed is what runs, whatever its size and its time are', async () => {
  const source = join(checkout, 'src/cli/rfs.ts');
  const before = await readFile(source, 'utf8');
  const { mtime } = await stat(source);
  await rfs('--help');
  await writeFile(source, before.replace('Packs directories', 'Sacks directories'));
  await utimes(source, mtime, mtime);
  expect((await rfs('--help')).stdout.toString()).toContain('Sacks directories');
  expect(await ranFrom()).toBe('bundle');
  await writeFile(source, before);
  expect((await rfs('--help')).stdout.toString()).toContain('Packs directories');
});

test('starts at the same time all run, and one of them makes the bundle', async () => {
  const outputs = await Promise.all(
    Array.from({ length: 4 }, async () => (await rfs('--version')).stdout.toString()),
  );
  const { version } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(outputs).toEqual(Array(4).fill(`${version}\n`));
  expect(await ranFrom()).toBe('bundle');
  expect(globSync(['new-*', 'lock', 'current-*'], { cwd: bundles })).toEqual([]);
});

test('one who was killed while he made the bundle keeps nobody from making it later', async () => {
  await mkdir(join(bundles, 'lock'), { recursive: true });
  expect(await ranFrom()).toBe('sources');
  await utimes(join(bundles, 'lock'), 0, 0);
  expect(await ranFrom()).toBe('bundle');
});

test('where nothing can be written the sources run, and say the same', async () => {
  const fromBundle = await rfs('dump', 'nowhere.fl');
  await rm(dirname(bundles), { recursive: true });
  await writeFile(dirname(bundles), '');
  expect(await ranFrom()).toBe('sources');
  expect(await rfs('dump', 'nowhere.fl')).toEqual(fromBundle);
  expect(await isThere(bundles)).toBe(false);
});

test('sources that do not compile give the error of Node.js', async () => {
  const source = join(checkout, 'src/cli/rfs/top.ts');
  const before = await readFile(source, 'utf8');
  await writeFile(source, `${before}\n)`);
  try {
    expect((await rfs('--version')).code).toBe(0);
    expect((await rfs('top')).stderr).toContain('SyntaxError');
  } finally {
    await writeFile(source, before);
  }
});
