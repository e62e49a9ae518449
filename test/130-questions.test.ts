import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { stageNames } from '../src/build/stage.ts';
import { printed, printedJson, rfs, zosbuilder } from './shared/commands.ts';
import { type BuiltProject, builtProject, marksOf } from './shared/projects.ts';

let project: BuiltProject;
beforeAll(async () => {
  project = await builtProject();
});

const ask = (...args: string[]) => zosbuilder(args, { cwd: project.directory });
const explain = async (subject: string) => printed(await ask('explain', subject));

describe('zosbuilder explain', () => {
  test('module:e1000e: in the flist, not in the image, and why', async () => {
    const text = await explain('module:e1000e');
    expect(text).toMatch(/^module:e1000e\n {2}e1000e is kernel\/drivers\/.*e1000e\.ko\S* of linux-image-/);
    expect(text).toMatch(/not in the image: no line of .*modules\.conf names it/);
    expect(text).toMatch(/add the line stage2:e1000e/);
    expect(text).toMatch(/in the flist modules-.*\.fl/);
    expect(printedJson(await ask('explain', '--json', 'module:e1000e'))).toMatchObject({
      subject: 'module:e1000e',
      image: false,
      flist: `modules-${await releaseOf(project)}.fl`,
    });
  });

  test('module:mii, which no line names: the chain to the line that brings it', async () => {
    const text = await explain('module:mii');
    expect(text).toMatch(/in the image \(stage2\), because:/);
    expect(text).toMatch(/8139\w+: wanted by config\/modules\.conf:\d+\n[\s\S]*mii: needed by 8139\w+/);
  });

  test('a module by its other spelling is the same module', async () => {
    expect(await explain('module:snd-hda-intel')).toBe(await explain('module:snd_hda_intel'));
  });

  test('firmware:e100/d102e_ucode.bin: in the flist by a line of firmware.conf, not in the image', async () => {
    const text = await explain('firmware:e100/d102e_ucode.bin');
    expect(text).toMatch(/firmware\.conf:\d+ \(flist:e100\) selects it from firmware-/);
    expect(text).toMatch(/not in the image: that takes a line that says image:/);
    expect(text).toMatch(/in the flist firmware-.*\.fl/);
  });

  test('/init and /usr/bin/node, which no package brings', async () => {
    expect(await explain('/init')).toMatch(/\/init is a file, .*\n.*made by zosbuilder/);
    expect(await explain('/usr/bin/node')).toMatch(/\/usr\/bin\/node is a file, \d+ MiB\n/);
  });

  test('a path of a package: which one; also by a link on the way', async () => {
    expect(await explain('/usr/bin/kmod')).toMatch(/brought by the package kmod/);
    expect(await explain('/bin/kmod')).toBe(await explain('/usr/bin/kmod'));
  });

  test('what nobody brings, and what was left out', async () => {
    expect(await explain('/usr/bin/emacs')).toMatch(/not in the image: no package/);
    expect(await explain('/usr/share/doc/kmod/copyright')).toMatch(/not in the image: .*cleanup/);
  });
});

describe('zosbuilder kernel release', () => {
  test('is that of the packed modules', async () => {
    const tags = printed(await rfs(['config', '-m', modulesFlist(), 'tag', 'list']));
    expect(tags).toContain(`\tkernel-release=${await releaseOf(project)}\n`);
    const build = JSON.parse(await readFile(join(project.dist, 'build.json'), 'utf8'));
    expect(build.kernelRelease).toBe(await releaseOf(project));
  });

  test('comes from the recipe, and not from the kernel that runs here', async () => {
    const args = ['kernel', 'release'];
    const under = ['setarch', '--uname-2.6']; // uname -r says 2.6 then
    const elsewhere = await zosbuilder(args, { cwd: project.directory, under });
    expect(printed(elsewhere)).toBe(printed(await ask(...args)));
  });
});

describe('zosbuilder stages', () => {
  test('shows every stage in its order, fresh but for the boot tests, and runs nothing', async () => {
    const before = await marksOf(join(project.state, 'stages'));
    const table = printed(await ask('stages'))
      .trimEnd()
      .split('\n');
    expect(table.map((line) => line.split(' ')[0])).toEqual(stageNames);
    const states = Object.fromEntries(table.map((line) => line.split(/ +/).slice(0, 2)));
    expect(states).toEqual({
      ...Object.fromEntries(stageNames.map((name) => [name, 'fresh'])),
      boot_tests: 'missing',
    });
    expect(await marksOf(join(project.state, 'stages'))).toEqual(before);
  });
});

describe('zosbuilder size', () => {
  test('adds up what is in the image by what brought it', async () => {
    const { parts, bytes, file } = printedJson(await ask('size', '--json'));
    const names: string[] = parts.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['Node.js', 'kernel modules', 'firmware', 'libc6', 'kmod']));
    expect(bytes).toBe((await readFile(join(project.dist, file))).length);
    expect(printed(await ask('size'))).toMatch(/^Node\.js +1 files +\d+ MiB +[\d.]+ %\n/);
  });
});

describe('the command line', () => {
  const verbs = 'quickstart build stages explain size kernel publish boot hub'.split(' ');

  test('shows its verbs', async () => {
    const help = printed(await zosbuilder(['--help']));
    for (const verb of verbs) expect(help).toMatch(new RegExp(`^ {2}${verb} `, 'm'));
    expect(printed(await zosbuilder(['--version']))).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test.each([...verbs, 'kernel release'])('%s says with --help how it is used', async (verb) => {
    const { code, stdout, stderr } = await zosbuilder([...verb.split(' '), '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: zosbuilder ${verb} `));
    expect(stdout).toMatch(/^Options:$/m);
  });

  test.each([
    'mount',
    'pack',
    'unpack',
    'flist',
    'flist tree',
    'flist inspect',
    'config',
    'config tag',
  ])('rfs %s says with --help how it is used', async (verb) => {
    expect(printed(await rfs([...verb.split(' '), '--help']))).toMatch(/^Usage: rfs /);
  });

  test('answers in the exit code: 0 done, 1 failed, 2 a command line that makes no sense', async () => {
    expect((await ask('explain', 'module:e1000e')).code).toBe(0);
    expect((await ask('explain', 'module:nosuchmodule')).code).toBe(1);
    expect((await ask('explain')).code).toBe(2);
    expect((await ask('no-such-verb')).code).toBe(2);
    expect((await ask('build', '--no-such-option')).code).toBe(2);
    expect((await rfs(['flist', 'tree', '/nonexistent.fl'])).code).toBe(1);
  });

  test('stops without an error when nobody reads on', async () => {
    const under = ['sh', '-c', 'exec 3>&2; "$@" | head -1', 'sh'];
    expect(await zosbuilder(['size'], { cwd: project.directory, under })).toMatchObject({
      code: 0,
      stderr: '',
    });
  });
});

const modulesFlist = () =>
  project.quickstart.published.find(({ name }: { name: string }) => name.startsWith('modules-')).path;

async function releaseOf({ directory }: BuiltProject): Promise<string> {
  return printed(await zosbuilder(['kernel', 'release', '--quiet'], { cwd: directory })).trim();
}
