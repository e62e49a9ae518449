import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../src/base/exec.ts';
import { type Answer, environment, printed, printedJson, repository } from './shared/commands.ts';
import {
  type BuiltProject,
  builtProject,
  copyTree,
  digestsOf,
  measured,
  newProject,
  scratch,
  type TestProject,
} from './shared/projects.ts';

/**
 * Runs `zosbuilder` where as much as can be is different: zosbuilder itself lies elsewhere, the user is nobody, and the umask,
 * the time zone, the locale and the home are others. There is no network at all.
 */
async function elsewhere({ directory }: TestProject, ...args: string[]): Promise<Answer> {
  const program = join(directory, '..', 'another place for zosbuilder');
  await mkdir(program, { recursive: true });
  const script = 'mount --bind "$1" "$2" && umask 077 && cd "$3" && shift 3 && exec "$@"';
  const { code, stdout, stderr } = await run(
    'unshare',
    [
      ...['--net', '--mount', 'sh', '-c', script, 'sh', repository, program, directory],
      ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--'],
      ...[join(program, 'zosbuilder'), ...args],
    ],
    {
      env: environment({
        HOME: directory,
        USER: 'nobody',
        TZ: 'Pacific/Kiritimati',
        LC_ALL: 'C.UTF-8',
        LANG: undefined,
        TMPDIR: directory,
      }),
      accept: [0, 1, 2],
    },
  );
  return { code, stdout: stdout.toString(), stderr };
}

/** What must not depend on where, when and by whom it is built. */
async function images({ dist }: TestProject): Promise<Record<string, string>> {
  const { 'build.json': _timesOfThisRun, ...digests } = await digestsOf(dist);
  return digests;
}

let project: BuiltProject;
let other: TestProject;

beforeAll(async () => {
  project = await builtProject();
  other = await newProject(join(await scratch('elsewhere'), 'another project'));
  await copyTree(join(project.state, 'cache'), join(other.state, 'cache'));
  await run('chown', ['-R', '65534:65534', join(other.directory, '..')]);
});

describe('a build from the same package cache by another user, elsewhere, without a network', () => {
  const build = ['build', '--until', 'kernel_build', '--json'];

  test('differs when one byte of the recipe does', async () => {
    const init = join(other.config, 'init');
    const text = await readFile(init, 'utf8');
    await writeFile(init, `${text}\n`);
    const answer = await measured('build elsewhere, from the package cache alone', () =>
      elsewhere(other, ...build),
    );
    const { stages } = printedJson(answer);
    expect(new Set(stages.map(({ state }: { state: string }) => state))).toEqual(new Set(['built']));
    expect(await initramfsOf(other)).not.toBe(await initramfsOf(project));
    await writeFile(init, text);
  });

  test('gives the same bytes for the image, the kernel, the bill of materials, both manifests and every block', async () => {
    printed(await elsewhere(other, ...build));
    expect(await initramfsOf(other)).toBe(await initramfsOf(project));
    await exportWithoutBoot();
    printed(await measured('publish elsewhere', () => elsewhere(other, 'publish')));
    const found = await images(other);
    expect(found).toEqual(await images(project));
    expect(Object.keys(found)).toEqual(
      expect.arrayContaining(['initramfs.cpio.zst', 'sbom.spdx.json', 'vmlinuz']),
    );
    expect(Object.keys(found).filter((path) => /^flists\/.*\.fl$/.test(path))).toHaveLength(2);
  });

  test('has the build id of the first', async () => {
    const ids = [project, other].map(async ({ dist }) => {
      const { buildId, outputs } = JSON.parse(await readFile(join(dist, 'build.json'), 'utf8'));
      return { buildId, outputs };
    });
    const [first, second] = await Promise.all(ids);
    expect(second).toEqual(first);
  });
});

/** A whole build, whose recipe names no boot test. */
async function exportWithoutBoot(): Promise<void> {
  const recipe = join(other.config, 'image.yaml');
  const text = await readFile(recipe, 'utf8');
  await writeFile(recipe, `${text}boot_tests: []\n`);
  printed(await elsewhere(other, 'build'));
  await writeFile(recipe, text);
}

/** The digest of the image in the depot, as `stages` tells it. */
async function initramfsOf(of: TestProject): Promise<string> {
  const statuses = printedJson(await elsewhere(of, 'stages', '--json'));
  return statuses.find(({ stage }: { stage: string }) => stage === 'initramfs_create').record.trees.image;
}
