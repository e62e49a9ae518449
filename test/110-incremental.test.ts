import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../src/base/digest.ts';
import { type StageName, stageNames } from '../src/build/stage.ts';
import { printed, printedJson, zosbuilder } from './shared/commands.ts';
import {
  addLine,
  type BuiltProject,
  builtProject,
  copyOf,
  marksOf,
  measured,
  type TestProject,
} from './shared/projects.ts';

interface Status {
  readonly stage: StageName;
  readonly state: string;
  readonly reasons: readonly string[];
}

/** The last stage that does not boot. */
const until = ['--until', 'kernel_build'];
const allButBoot = stageNames.filter((name) => name !== 'boot_tests');

async function build({ directory }: TestProject, what: string): Promise<Status[]> {
  const answer = await measured(what, () => zosbuilder(['build', ...until, '--json'], { cwd: directory }));
  return printedJson(answer).stages;
}

const plan = async ({ directory }: TestProject): Promise<Status[]> =>
  printedJson(await zosbuilder(['stages', '--json'], { cwd: directory })).map(
    ({ stage, state, reasons }: Status) => ({ stage, state, reasons }),
  );

const thatRan = (statuses: readonly Status[]) =>
  statuses.filter(({ state }) => state !== 'fresh').map(({ stage }) => stage);

let project: BuiltProject;
beforeAll(async () => {
  project = await builtProject();
});

describe('a second build with nothing changed', () => {
  test('is announced as fresh by stages, and says fresh for every stage', async () => {
    const announced = (await plan(project)).filter(({ stage }) => stage !== 'boot_tests');
    const done = await build(project, 'build with nothing changed');
    for (const statuses of [announced, done]) {
      expect(statuses.map(({ stage }) => stage)).toEqual(allButBoot);
      expect(new Set(statuses.map(({ state }) => state))).toEqual(new Set(['fresh']));
      expect(statuses.flatMap(({ reasons }) => reasons)).toEqual([]);
    }
  });

  test('writes nothing at all', async () => {
    const before = await Promise.all([marksOf(project.dist), marksOf(project.state)]);
    await build(project, 'build with nothing changed, once more');
    expect(await Promise.all([marksOf(project.dist), marksOf(project.state)])).toEqual(before);
  });
});

describe('one line more in modules.conf', () => {
  const dependent: StageName[] = [
    'modules_setup',
    'modules_copy',
    'cleanup',
    'validation',
    'initramfs_create',
    'initramfs_test',
  ];

  test('makes exactly what depends on it run, says why, and puts the module into the image', async () => {
    const copy = await copyOf(project, 'one-line-more');
    const explain = async () =>
      printed(await zosbuilder(['explain', 'module:e1000e'], { cwd: copy.directory }));
    expect(await explain()).toContain('not in the image');

    await addLine(copy, 'modules.conf', 'stage2:e1000e');
    const announced = await plan(copy);
    expect(thatRan(announced)).toEqual([...dependent, 'boot_tests']);
    expect(reasonsOf(announced, 'modules_setup')).toEqual(['config/modules.conf changed']);
    expect(reasonsOf(announced, 'cleanup')).toContain('modules_setup has to run first');

    const done = await build(copy, 'build after one line more in modules.conf');
    expect(thatRan(done)).toEqual(dependent);
    expect(reasonsOf(done, 'modules_setup')).toEqual(['config/modules.conf changed']);
    expect(reasonsOf(done, 'modules_copy')).toEqual(['closure changed']);
    expect(thatRan(await plan(copy))).toEqual(['boot_tests']);

    expect(await explain()).toMatch(
      /in the image \(stage2\), because:\n +e1000e: wanted by config\/modules\.conf:\d+/,
    );
    expect(await explain()).not.toContain('not in the image');
  });

  test('that means nothing runs one stage, and stops there', async () => {
    const copy = await copyOf(project, 'comment');
    await addLine(copy, 'modules.conf', '# a remark');
    expect(thatRan(await build(copy, 'build after a remark in modules.conf'))).toEqual(['modules_setup']);
  });
});

describe('what is gone from the state', () => {
  test('is made again: the whole depot', async () => {
    const copy = await copyOf(project, 'no-depot');
    await rm(join(copy.state, 'depot'), { recursive: true });
    const done = await build(copy, 'build without a depot, from the package cache');
    expect(new Set(done.flatMap(({ reasons }) => reasons))).toEqual(new Set(['its result is gone']));
    expect(await treesOf(copy, 'initramfs_create')).toEqual(await treesOf(project, 'initramfs_create'));
  });

  test('is made again: one object of the depot', async () => {
    const copy = await copyOf(project, 'no-object');
    const object = sha256(await readFile(join(copy.config, 'inittab')));
    const path = join(copy.state, 'depot/objects', object.slice(0, 2), object);
    await rm(path);
    const done = await build(copy, 'build without one object of the depot');
    expect(thatRan(done)).toEqual(['zinit_setup']);
    expect(reasonsOf(done, 'zinit_setup')).toEqual(['its result is gone']);
    expect(sha256(await readFile(path))).toBe(object);
  });
});

/** The digests of what a stage made. */
async function treesOf({ directory }: TestProject, name: StageName): Promise<Record<string, string>> {
  const statuses = printedJson(await zosbuilder(['stages', '--json'], { cwd: directory }));
  return statuses.find(({ stage }: Status) => stage === name).record.trees;
}

const reasonsOf = (statuses: readonly Status[], name: StageName) =>
  statuses.find(({ stage }) => stage === name)!.reasons;
