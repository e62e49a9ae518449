import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { stageNames } from '../src/build/stage.ts';
import { printedJson, zosbuilder } from './shared/commands.ts';
import { processesAbout } from './shared/mounts.ts';
import {
  type BuiltProject,
  builtProject,
  copyOf,
  digestsOf,
  measured,
  type TestProject,
} from './shared/projects.ts';

let built: BuiltProject;
let project: TestProject;
beforeAll(async () => {
  built = await builtProject();
  project = await copyOf(built, 'without-flists');
});

describe('zosbuilder boot basic, with no flist server', () => {
  test('says that it goes on without flists, and reaches ready', async () => {
    const [verdict, ...more] = printedJson(
      await measured('boot without flists', () =>
        zosbuilder(['boot', 'basic', '--json'], { cwd: project.directory }),
      ),
    );
    expect(more).toEqual([]);
    expect(verdict).toMatchObject({ scenario: 'basic', outcome: 'ready', failedUnits: [] });
    expect(verdict.milestones.at(-1).milestone).toBe('ready');
    for (const kind of ['modules', 'firmware']) expect(verdict.report.flists[kind].state).not.toBe('mounted');
    expect([...verdict.notes, ...verdict.warnings].join('\n')).toMatch(/\bgoing on\b/);
    expect(verdict.report.modules.map(({ origin }: { origin: string }) => origin)).not.toContain('flist');
    expect(await readFile(verdict.log, 'utf8')).toMatch(/zos: reached ready/);
    expect(await processesAbout(project.directory)).toEqual([]);
  });
});

describe('zosbuilder build to its end', () => {
  const build = async (what: string) =>
    printedJson(await measured(what, () => zosbuilder(['build', '--json'], { cwd: project.directory })))
      .stages;

  test('boots the image as its last stage, and after that says fresh for every stage', async () => {
    const first = await build('build that had only its boot test left');
    expect(first.at(-1)).toMatchObject({ stage: 'boot_tests', state: 'built' });
    expect(first.at(-1).note).toMatch(/^basic ready after /);
    const second = await build('build with everything fresh');
    expect(second.map(({ stage, state }: Record<string, string>) => [stage, state])).toEqual(
      stageNames.map((stage) => [stage, 'fresh']),
    );
    const { 'build.json': _reasonsOfThisRun, ...images } = await digestsOf(project.dist);
    expect(await digestsOf(join(built.dist))).toMatchObject(images);
  });
});
