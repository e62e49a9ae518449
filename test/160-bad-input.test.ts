import { cp, mkdir, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectRefusal, printed, printedJson, type Refusal, rfs, zosbuilder } from './shared/commands.ts';
import { mountOn } from './shared/mounts.ts';
import {
  addLine,
  type BuiltProject,
  builtProject,
  copyOf,
  digestsOf,
  marksOf,
  scratch,
  type TestProject,
  temporary,
} from './shared/projects.ts';

let built: BuiltProject;
/** A finished project whose recipe is broken by each test and mended after it. */
let project: TestProject;
let digests: Record<string, string>;
let marks: Record<string, string>;

beforeAll(async () => {
  built = await builtProject();
  project = await copyOf(built, 'bad-input');
  digests = await digestsOf(project.dist);
});

beforeEach(async () => {
  marks = await marksOf(project.dist);
});

// Whatever went wrong: not a file in dist/ was touched, none came, none went.
afterEach(async () => {
  expect(await marksOf(project.dist)).toEqual(marks);
  await rm(project.config, { recursive: true });
  await cp(built.config, project.config, { recursive: true });
});

const here = (...args: string[]) => zosbuilder(args, { cwd: project.directory });
const noNetwork = ['unshare', '--net'];

describe('a recipe that cannot be meant', () => {
  const modules = 'modules.conf';
  const packages = 'profiles/debian/packages.list';
  const firmware = 'profiles/debian/firmware.conf';
  const image = 'image.yaml';

  test.each<[what: string, file: string, line: string, error: RegExp, hint: RegExp]>([
    [
      'an unknown module',
      modules,
      'stage2:e1000x',
      /modules\.conf:\d+: .*no module e1000x/,
      /correct the name/,
    ],
    ['a misspelt stage', modules, 'stge1:ahci', /modules\.conf:\d+: stge1:ahci/, /did you mean stage1:ahci/],
    [
      'a module without a stage',
      modules,
      'ahci',
      /modules\.conf:\d+: ahci is not stage1:NAME/,
      /stage2:ahci/,
    ],
    ['a module twice', modules, 'stage2:virtio-net', /modules\.conf:\d+: .*already listed/, /remove one/],
    [
      'two packages on a line',
      packages,
      'curl wget',
      /packages\.list:\d+: "curl wget"/,
      /one package a line/,
    ],
    ['a package both wanted and left out', packages, '-kmod', /packages\.list:\d+: kmod is both/, /keep one/],
    [
      'a firmware line without a target',
      firmware,
      'e100 x',
      /firmware\.conf:\d+: e100 is not image:NAME/,
      /write/,
    ],
    [
      'a firmware line without a package',
      firmware,
      'flist:x',
      /firmware\.conf:\d+: flist:x names no package/,
      /./,
    ],
    [
      'a firmware path that leaves its directory',
      firmware,
      'flist:x y ../z',
      /firmware\.conf:\d+: \.\.\/z/,
      /./,
    ],
    [
      'firmware of no known package',
      firmware,
      'flist:x no-such-firmware',
      /firmware\.conf:\d+: .*no-such-fi/,
      /./,
    ],
    [
      'firmware that no package brings',
      firmware,
      'flist:x firmware-realtek no/*',
      /firmware\.conf:\d+: .*no\/\*/,
      /./,
    ],
    [
      'an unknown key',
      image,
      'comprssion: {format: xz}',
      /image\.yaml:\d+: unknown key "comprssion"/,
      /"compression"/,
    ],
    [
      'a value out of its range',
      image,
      'compression: {format: lzma}',
      /image\.yaml:\d+: "compression\.format"/,
      /./,
    ],
    ['no YAML', image, 'suite: [', /image\.yaml:\d+: /, /./],
  ])('%s: place and remedy', async (_what, file, line, error, hint) => {
    await addLine(project, file, line);
    expectRefusal(await here('build'), { code: 1, error, hint });
  });

  test('a profile that is not there', async () => {
    await writeFile(join(project.config, 'image.yaml'), 'profile: alpin\n');
    expectRefusal(await here('build'), {
      code: 1,
      error: /image\.yaml:1: .*no profile "alpin"/,
      hint: /debian/,
    });
  });

  test('a package that the archive does not have', async () => {
    await addLine(project, packages, 'no-such-package-at-all');
    expectRefusal(await here('build'), { code: 1, error: /no package "no-such-package-at-all"/, hint: /./ });
  });

  test('an image over its budget', async () => {
    await addLine(project, image, 'budget: {initramfs: 1 MiB}');
    expectRefusal(await here('build'), {
      code: 1,
      error: /over its budget of 1\.0 MiB/,
      hint: /zosbuilder size/,
    });
  });

  test('an init script that the kernel cannot start', async () => {
    await writeFile(join(project.config, 'init'), 'echo hello\n');
    expectRefusal(await here('build'), { code: 1, error: /init:1: .*#!/, hint: /#!\/bin\/sh/ });
  });

  test('units that wait for each other', async () => {
    const unit = join(project.config, 'zinit/udevd.yaml');
    await writeFile(unit, (await readFile(unit, 'utf8')).replace('after:\n', 'after:\n  - ready\n'));
    const error = /zinit\/\S+\.yaml:\d+: units wait for each other: .*udevd after ready/;
    expectRefusal(await here('build'), { code: 1, error, hint: /./ });
  });

  test('a unit without a command', async () => {
    await writeFile(join(project.config, 'zinit/idle.yaml'), 'oneshot: true\n');
    expectRefusal(await here('build'), { code: 1, error: /zinit\/idle\.yaml:\d+: .*exec/, hint: /./ });
  });

  test('after all of them, the mended recipe builds at once: nothing half-done is left', async () => {
    const { stages } = printedJson(await here('build', '--until', 'kernel_build', '--json'));
    expect(stages.filter(({ state }: { state: string }) => state !== 'fresh')).toEqual([]);
    expect((await readdir(project.directory)).sort()).toEqual(['.zosbuilder', 'config', 'dist']);
  });
});

describe('a damaged package in the cache', () => {
  let deb: string;
  let whole: Buffer;

  /** A project with only its downloads left; the package kmod among them is `damage`d. */
  async function withDamage(damage: (bytes: Buffer) => Buffer): Promise<void> {
    const sbom = JSON.parse(await readFile(join(built.dist, 'sbom.spdx.json'), 'utf8'));
    const kmod = sbom.packages.find(({ name }: { name: string }) => name === 'kmod');
    deb = join(project.state, 'cache/deb', `${kmod.checksums[0].checksumValue}.deb`);
    whole = await readFile(deb);
    for (const name of await readdir(dirname(deb)))
      if (name.includes('.tree')) await rm(join(dirname(deb), name));
    await rm(deb); // a hard link: the file of the shared project stays whole
    await writeFile(deb, damage(whole));
  }

  const build = (under: readonly string[] = []) =>
    zosbuilder(['build', '--until', 'base_packages', '--force', 'base_packages'], {
      cwd: project.directory,
      under,
    });

  test('a truncated one, and no network: it is not used, and the failure says what to do', async () => {
    await withDamage((bytes) => bytes.subarray(0, bytes.length / 2));
    expectRefusal(await build(noNetwork), { code: 1, error: /./, hint: /network|mirror|connect/i });
  });

  test('a truncated one, and a network: it is downloaded again', async () => {
    expect((await readFile(deb)).length).toBeLessThan(whole.length);
    printed(await build());
    expect((await readFile(deb)).equals(whole)).toBe(true);
  });

  test('one with a flipped bit: it is named, and not used', async () => {
    await withDamage((bytes) => {
      const flipped = Buffer.from(bytes);
      flipped[flipped.length >> 1]! ^= 1;
      return flipped;
    });
    expectRefusal(await build(), {
      code: 1,
      error: /\.deb is damaged: it is not kmod/,
      hint: /delete that file/,
    });
    await rm(deb);
    await writeFile(deb, whole);
    printed(await build(noNetwork));
  });
});

describe('a machine that lacks something', () => {
  test('QEMU: boot says how to get it', async () => {
    const path = await pathWithout('qemu-system-x86_64');
    const answer = await zosbuilder(['boot', 'basic'], {
      cwd: project.directory,
      env: { PATH: path, ZOSBUILDER_NO_INSTALL: '1' },
    });
    expectRefusal(answer, { code: 1, error: /qemu-system-x86_64/, hint: /apt-get install qemu-system-x86/ });
  });

  test('apt: build says that it needs a Debian', async () => {
    const path = await pathWithout('apt-get', 'apt-cache', 'apt-config');
    const answer = await zosbuilder(['build', '--force', 'base_configure'], {
      cwd: project.directory,
      env: { PATH: path, ZOSBUILDER_NO_INSTALL: '1' },
    });
    expectRefusal(answer, { code: 1, error: /cannot run apt-/, hint: /Debian/ });
  });

  test('FUSE: mount says what it needs, and leaves no mount', async () => {
    const directory = await temporary('no-fuse');
    const { manifest, store } = await smallFlist(directory);
    for (const name of ['dev', 'mnt']) await mkdir(join(directory, name));
    const withoutFuse =
      'mount -t tmpfs dev "$1" && cp -a /dev/null /dev/zero /dev/urandom "$1" && mount --move "$1" /dev && shift && exec "$@"';
    for (const mode of [[], ['--daemon']]) {
      const args = ['mount', '-m', manifest, '-s', store, '-c', join(directory, 'cache'), ...mode];
      const answer = await rfs([...args, join(directory, 'mnt')], {
        under: ['unshare', '--mount', 'sh', '-c', withoutFuse, 'sh', join(directory, 'dev')],
      });
      expectRefusal(answer, { code: 1, error: /\/dev\/fuse/, hint: /./ });
      expect(await mountOn(join(directory, 'mnt'))).toBeUndefined();
    }
  });
});

describe('a store that fails', () => {
  test('unreachable: unpack says where it asked, and leaves no half-written file', async () => {
    const directory = await temporary('unreachable');
    const { manifest } = await smallFlist(directory);
    const target = join(directory, 'copy');
    const args = ['-m', manifest, '-s', 'http://127.0.0.1:1', '-c', join(directory, 'cache')];
    expectRefusal(await rfs(['unpack', ...args, target]), {
      code: 1,
      error: /cannot read file: http:\/\/127\.0\.0\.1:1/,
      hint: /./,
    });
    expect(await readdir(target).catch(() => [])).toEqual([]);
  });

  test('with a corrupt block: unpack names the file and the damage', async () => {
    const directory = await temporary('corrupt');
    const { manifest, store } = await smallFlist(directory);
    const blocks = store.replace('dir://', '');
    for (const name of await readdir(blocks, { recursive: true }))
      if (name.length > 60) await truncate(join(blocks, name), 10);
    const args = ['-m', manifest, '-s', store, '-c', join(directory, 'cache')];
    expectRefusal(await rfs(['unpack', ...args, join(directory, 'copy')]), {
      code: 1,
      error: /cannot read file: .*block/,
      hint: /./,
    });
  });

  test('that cannot be written: publish fails before any manifest changes', async () => {
    expectRefusal(
      await here('publish', 'firmware', '--store', `dir://${join(project.config, 'init')}/store`),
      {
        code: 1,
        error: /dir:\/\/.*\/init\/store: cannot list the blocks: ENOTDIR/,
        hint: /./,
      },
    );
  });

  test('a manifest that is none: it is called so', async () => {
    const directory = await temporary('no-manifest');
    const file = join(directory, 'x.fl');
    await writeFile(file, 'no manifest at all');
    const error = /x\.fl .*no valid manifest/;
    expectRefusal(await rfs(['flist', 'tree', file]), { code: 1, error, hint: /./ });
    const unpack = ['unpack', '-m', file, '-c', join(directory, 'cache'), join(directory, 'copy')];
    expectRefusal(await rfs(unpack), { code: 1, error, hint: /./ });
    expect(await readdir(directory)).toEqual(['x.fl']);
  });
});

describe('a command line that makes no sense', () => {
  test.each<[args: string[], expected: Omit<Refusal, 'code'>]>([
    [['buidl'], { error: /unknown command 'buidl'/, hint: /build/ }],
    [['build', '--forse', 'cleanup'], { error: /unknown option '--forse'/, hint: /--force|--help/ }],
    [
      ['build', '--until', 'clean_up'],
      { error: /there is no stage "clean_up"/, hint: /did you mean cleanup/ },
    ],
    [['boot', 'moon'], { error: /there is no scenario "moon"/, hint: /basic, flists/ }],
    [['boot', '--accel', 'warp'], { error: /'warp' is invalid.*tcg, kvm, auto/, hint: /--help/ }],
    [['publish', 'everything'], { error: /'everything'/, hint: /--help/ }],
    [['publish', '--store', 'nowhere'], { error: /store address is not a URL/, hint: /dir:\/\// }],
    [['hub', '--listen', 'nowhere'], { error: /'nowhere'/, hint: /127\.0\.0\.1:8080/ }],
    [['explain'], { error: /missing required argument 'subject'/, hint: /--help/ }],
  ])('zosbuilder %j', async (args, expected) => {
    expectRefusal(await here(...args), { code: 2, ...expected });
  });

  test.each<[args: string[], expected: Omit<Refusal, 'code'>]>([
    [['mont'], { error: /unknown command 'mont'/, hint: /mount/ }],
    [['pack', '-m', 'x.fl', '.'], { error: /no store/, hint: /--store dir:/ }],
    [['mount', '/mnt'], { error: /--meta/, hint: /--help/ }],
    [['flist', 'tre', 'x.fl'], { error: /unknown command 'tre'/, hint: /tree/ }],
  ])('rfs %j', async (args, expected) => {
    expectRefusal(await rfs(args, { cwd: project.directory }), { code: 2, ...expected });
  });
});

test('a subject of which nobody knows', async () => {
  expectRefusal(await here('explain', 'module:e1000q'), {
    code: 1,
    error: /has no module "e1000q"/,
    hint: /e1000/,
  });
});

test('a directory without a build', async () => {
  const cwd = await temporary('empty');
  for (const args of [['size'], ['boot'], ['explain', '/init']])
    expectRefusal(await zosbuilder(args, { cwd }), { code: 1, error: /./, hint: /zosbuilder build/ });
  expect(await readdir(cwd)).toEqual([]);
});

test('after all of this, every result has the bytes that it had', async () => {
  expect(await digestsOf(project.dist)).toEqual(digests);
});

async function smallFlist(directory: string): Promise<{ manifest: string; store: string }> {
  const source = join(directory, 'source');
  await mkdir(source);
  await writeFile(join(source, 'file'), 'the content');
  const flist = { manifest: join(directory, 'small.fl'), store: `dir://${directory}/store` };
  printed(await rfs(['pack', '-m', flist.manifest, '-s', flist.store, source]));
  return flist;
}

/** A PATH in which everything is that is in ours, but for some programs. */
async function pathWithout(...programs: string[]): Promise<string> {
  const directory = await scratch('path');
  for (const place of ['/usr/sbin', '/usr/bin', '/sbin', '/bin'])
    for (const name of await readdir(place).catch(() => []))
      if (!programs.includes(name)) await symlink(join(place, name), join(directory, name)).catch(() => {});
  return directory;
}
