import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { sha256 } from '../src/base/digest.ts';
import { run } from '../src/base/exec.ts';
import { bootMilestones } from '../src/boot/watch.ts';
import { printed, rfs } from './shared/commands.ts';
import { noteMeasurement } from './shared/ground.ts';
import { processesAbout } from './shared/mounts.ts';
import { type BuiltProject, builtProject, digestsOf, temporary } from './shared/projects.ts';

let project: BuiltProject;
// biome-ignore lint/suspicious/noExplicitAny: a scenario names what it expects of a result
let build: any;

beforeAll(async () => {
  project = await builtProject();
  build = JSON.parse(await readFile(join(project.dist, 'build.json'), 'utf8'));
});

describe('zosbuilder quickstart in a directory with nothing but a recipe', () => {
  test('ends with a node that is ready, by every milestone in its order', async () => {
    const { outcome, milestones } = project.quickstart.verdict;
    expect(outcome).toBe('ready');
    const reached: string[] = milestones.map(({ milestone }: { milestone: string }) => milestone);
    expect(reached).toEqual(bootMilestones.filter((name) => reached.includes(name)));
    expect(reached).toEqual(expect.arrayContaining(bootMilestones.filter((name) => name !== 'firmware')));
    const times: number[] = milestones.map(({ at }: { at: number }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('says what it does, a line a stage and a line a milestone', () => {
    for (const stage of ['base_packages', 'kernel_modules', 'initramfs_create'])
      expect(project.progress).toMatch(new RegExp(`^ *${stage} +built .*because it never ran$`, 'm'));
    for (const milestone of ['init', 'flist-modules', 'ready'])
      expect(project.progress).toMatch(new RegExp(`^ +\\d[\\d.]* .*s +${milestone}$`, 'm'));
  });

  test('leaves the outputs of which build.json and the command tell, and no other', async () => {
    const digests = await digestsOf(project.dist);
    const told = Object.fromEntries(
      build.outputs.map(({ path, sha256 }: Record<string, string>) => [path, sha256]),
    );
    expect(told).toEqual(
      Object.fromEntries(
        project.quickstart.outputs.map(({ path, sha256 }: Record<string, string>) => [path, sha256]),
      ),
    );
    expect(digests).toMatchObject(told);
    const flists = project.quickstart.published.map(({ name }: { name: string }) => `flists/${name}`);
    expect(Object.keys(digests).filter((path) => !path.startsWith('blocks/'))).toEqual(
      ['build.json', ...Object.keys(told), ...flists].sort(),
    );
    expect(flists).toContain(`flists/modules-${build.kernelRelease}.fl`);
  });

  test('leaves no emulator and no hub behind', async () => {
    expect(await processesAbout(project.directory)).toEqual([]);
  });
});

describe('the booted node', () => {
  test.each([
    'e1000e',
    'e100',
    'snd_hda_intel',
  ])('has loaded %s from the flist; the image does not carry it', async (driver) => {
    const { report } = project.quickstart.verdict;
    expect(report.modules).toContainEqual({ name: driver, origin: 'flist' });
    expect(report.devices.map(({ module }: { module?: string }) => module)).toContain(driver);
    const modules = (await archiveNames()).filter((name) => name.includes(`${build.kernelRelease}/kernel/`));
    expect(modules.length).toBeGreaterThan(50);
    expect(modules.filter((name) => moduleName(name) === driver)).toEqual([]);
  });

  test('has read firmware out of its mount as it was packed', async () => {
    const place = await temporary('firmware');
    const directory = join(place, 'lib/firmware');
    const from = ['-m', firmwareFlist(), '-s', `dir://${project.dist}/blocks`, '-c', join(place, 'cache')];
    await mkdir(join(place, 'lib'));
    printed(await rfs(['unpack', ...from, directory]));
    const { checks } = project.quickstart.verdict.report;
    expect(checks.length).toBeGreaterThan(0);
    for (const { path, sha256: read } of checks) {
      const packed = join(directory, path.replace(/^\/(usr\/)?lib\/firmware\//, ''));
      expect({ path, digest: read }).toEqual({ path, digest: sha256(await readFile(packed)) });
    }
  });

  test('shows on its console the build id of build.json', async () => {
    const { log } = project.quickstart.verdict;
    const shown = (await readFile(log, 'utf8')).matchAll(/zos: reached (?:init|ready)\b.*?build-id=(\S+)/g);
    expect([...shown].map(([, id]) => id)).toEqual([build.buildId, build.buildId]);
  });

  test('is started by a command that can be repeated by hand', async () => {
    const { log, command } = project.quickstart.verdict;
    expect(command[0]).toBe('qemu-system-x86_64');
    expect((await readFile(log, 'utf8')).split('\n')[0]).toMatch(/^\$ qemu-system-x86_64 .*-kernel /);
  });
});

test('the figures of this run are kept for the summary', async () => {
  const ground = inject('ground');
  for (const { stage, milliseconds, peakMemory } of build.stages)
    await noteMeasurement(
      ground,
      `${(milliseconds / 1000).toFixed(1).padStart(6)} s  stage ${stage}, peak memory ${Math.round(peakMemory / 2 ** 20)} MiB`,
    );
  for (const { milestone, at } of project.quickstart.verdict.milestones)
    await noteMeasurement(ground, `${(at / 1000).toFixed(1).padStart(6)} s  boot: ${milestone}`);
});

const firmwareFlist = () =>
  project.quickstart.published.find(({ name }: { name: string }) => name.startsWith('firmware-')).path;

const moduleName = (path: string) =>
  path
    .split('/')
    .at(-1)!
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');

async function archiveNames(): Promise<string[]> {
  const { stdout } = await run('sh', [
    '-c',
    'zstd -dc "$1" | cpio --quiet -t',
    'sh',
    join(project.dist, 'initramfs.cpio.zst'),
  ]);
  return stdout.toString().trimEnd().split('\n');
}
