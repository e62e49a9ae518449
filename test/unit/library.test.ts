/** The package as others get it: packed by npm, installed elsewhere, its entry points used by the examples of the page. */
import { globSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../src/base/exec.ts';
import { read, root } from './markdown.ts';

const examples = globSync('docs/examples/*.ts', { cwd: root }).sort();
const { dependencies, optionalDependencies, exports } = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'optionalDependencies' | 'exports',
  Record<string, unknown>
>;

let app: string;

beforeAll(async () => {
  app = await mkdtemp(join(tmpdir(), 'zosbuilder-library-'));
  await run('npm', ['pack', '--silent', '--pack-destination', app], { cwd: root, timeout: 100_000 });
  const installed = join(app, 'node_modules/zosbuilder');
  await mkdir(installed, { recursive: true });
  const [tarball] = globSync('*.tgz', { cwd: app });
  await run('tar', ['-xzf', join(app, tarball!), '-C', installed, '--strip-components=1']);
  // What npm would fetch is here already.
  for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), '@types/node']) {
    await mkdir(dirname(join(app, 'node_modules', name)), { recursive: true });
    await symlink(join(root, 'node_modules', name), join(app, 'node_modules', name));
  }
  await writeFile(join(app, 'package.json'), '{ "type": "module" }');
  for (const example of examples) await copyFile(join(root, example), join(app, basename(example)));
}, 120_000);

afterAll(() => rm(app, { recursive: true, force: true }));

/** Runs an example in a directory of its own, as an application would run it. */
async function runExample(name: string, argumentsIn: (work: string) => readonly string[]): Promise<string> {
  const work = await mkdtemp(join(app, 'work-'));
  onTestFinished(() => rm(work, { recursive: true, force: true }));
  await mkdir(join(work, 'source/bin'), { recursive: true });
  await mkdir(join(work, 'mountpoint'));
  await writeFile(join(work, 'source/bin/sh'), 'a shell\n', { mode: 0o755 });
  const args = [join(app, `${name}.ts`), ...argumentsIn(work)];
  const { stdout } = await run(process.execPath, args, { cwd: app, timeout: 30_000 });
  return stdout.toString().replaceAll(work, 'WORK');
}

describe('the package', () => {
  test('has an entry point, and an example, for each of the four rooms', () => {
    const rooms = Object.keys(exports).map((entry) => entry.slice('./'.length));
    expect(rooms.sort()).toEqual(['flist', 'fuse', 'store', 'tree']);
    expect(examples.map((path) => basename(path, '.ts'))).toEqual(rooms);
  });

  test('has types that the examples agree with', async () => {
    const { compilerOptions } = JSON.parse(read('tsconfig.json')) as { compilerOptions: object };
    const strict = { ...compilerOptions, skipLibCheck: false };
    await writeFile(
      join(app, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: strict, files: examples.map((path) => basename(path)) }),
    );
    await run(join(root, 'node_modules/.bin/tsc'), ['-p', app]);
  });

  test('brings rfs as one program, with its threads', async () => {
    const { bin, version } = JSON.parse(read('package.json')) as { bin: { rfs: string }; version: string };
    const rfs = (...args: string[]) =>
      run(join(app, 'node_modules/zosbuilder', bin.rfs), args, { timeout: 30_000 });
    expect((await rfs('--version')).stdout.toString().trim()).toBe(version);
    const work = await mkdtemp(join(app, 'work-'));
    const [manifest, store, copy] = ['manifest.fl', 'store', 'copy'].map((name) => join(work, name));
    await rfs('pack', '-m', manifest!, '-s', `dir://${store}`, join(app, 'node_modules/zosbuilder/docs'));
    await rfs('verify', manifest!);
    await rfs('unpack', '-m', manifest!, copy!);
    await run('diff', ['-r', join(app, 'node_modules/zosbuilder/docs'), copy!]);
  });

  test('holds no sources that Node would not run there, and no tests', async () => {
    const files = globSync('node_modules/zosbuilder/lib/**/*', { cwd: app });
    expect(files.length).toBeGreaterThan(100);
    expect(files.filter((path) => /(?<!\.d)\.ts$|test|fixture/.test(path))).toEqual([]);
  });
});

describe('the examples do what the page says', () => {
  test('flist', async () => {
    expect(await runExample('flist', (work) => [join(work, 'source'), work])).toBe(
      '1 files in 1 blocks\n40755 /\n40755 /bin\n100755 /bin/sh\n0 damaged files\nmounted on WORK/mnt\n',
    );
  });

  test('store', async () => {
    expect(await runExample('store', (work) => [work])).toBe(
      [
        '1 block, 23 bytes; 1 get',
        '43569db4b44e807640de79fb7175eae3e6379082c562999f431830d4ed818577',
        `not-found: dir://WORK/copy has no block ${'00'.repeat(32)}\n`,
      ].join('\n'),
    );
  });

  test('fuse', async () => {
    expect(await runExample('fuse', (work) => [join(work, 'mountpoint')])).toBe(
      'hello from Node\nunmounted\n',
    );
  });

  test('tree', async () => {
    const text = await runExample('tree', (work) => [join(work, 'source'), work]);
    expect(text).toMatch(/bin\/sh/);
    expect(text).toMatch(/dev\/console/);
  });

  test('and stand in the page as they are', () => {
    const shown = [...read('docs/library.md').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
    expect(shown.sort()).toEqual(examples.map(read).sort());
  });
});

test('every function and class of an entry point has a doc comment where it is declared', async () => {
  for (const room of Object.keys(exports)) {
    const entry = join(app, 'node_modules/zosbuilder/lib/library', `${basename(room)}.d.ts`);
    for (const [, names, from] of (await readFile(entry, 'utf8')).matchAll(
      /export \{([^}]*)\} from '([^']+)'/g,
    )) {
      const declared = await readFile(join(dirname(entry), from!.replace(/\.js$/, '.d.ts')), 'utf8');
      for (const name of names!.split(',').map((text) => text.trim()))
        if (!name.startsWith('type '))
          expect(declared, name).toMatch(new RegExp(`\\*/\nexport declare [a-z ]+\\*? ?${name}\\b`));
    }
  }
});
