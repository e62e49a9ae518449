import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silent } from '../base/progress.ts';
import { bytesContent } from '../tree/content.ts';
import { Tree } from '../tree/tree.ts';
import { Engine, stageNamed } from './engine.ts';
import type { Project } from './project.ts';
import type { Recipe } from './recipe.ts';
import { file, output, type Stage } from './stage.ts';

let directory: string;
let runs: string[];

const text = (content: string) =>
  Tree.from([
    ['text', { kind: 'file', mode: 0o644, uid: 0, gid: 0, mtime: 0, content: bytesContent(content) }],
  ]);
const read = async (tree: Tree) => Buffer.from(await tree.file('text')!.content.read()).toString();

/** Three stages in a row: one reads a file, one keeps its first word, one counts its letters. */
function threeStages(overrides: Partial<Stage> = {}): Stage[] {
  const base = { summary: 'a test', module: import.meta.filename };
  return [
    {
      ...base,
      name: 'base_extract',
      inputs: () => ({ 'the file': file(join(directory, 'input'), 'the file') }),
      async run(access) {
        runs.push('base_extract');
        return { trees: { text: text(await access.text('the file')) }, note: 'read' };
      },
    },
    {
      ...base,
      name: 'base_configure',
      inputs: () => ({ text: output('base_extract', 'text') }),
      async run(access) {
        runs.push('base_configure');
        return { values: { word: (await read(await access.tree('text'))).split(' ')[0] }, note: 'cut' };
      },
    },
    {
      ...base,
      name: 'base_packages',
      inputs: () => ({ word: output('base_configure', 'word') }),
      async run(access) {
        runs.push('base_packages');
        return { values: { letters: (await access.value<string>('word')).length }, note: 'counted' };
      },
      ...overrides,
    },
  ];
}

function engine(stages = threeStages()): Engine {
  const project: Project = {
    directory,
    config: directory,
    state: join(directory, 'state'),
    dist: join(directory, 'dist'),
  };
  return new Engine(stages, {} as Recipe, project);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'engine-'));
  runs = [];
  await writeFile(join(directory, 'input'), 'hello world');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the stage engine', () => {
  test('runs every stage the first time and none the second', async () => {
    await engine().build({ reporter: silent });
    expect(runs).toEqual(['base_extract', 'base_configure', 'base_packages']);
    const again = await engine().build({ reporter: silent });
    expect(runs).toHaveLength(3);
    expect(again.map(({ state, reasons }) => [state, reasons])).toEqual(Array(3).fill(['fresh', []]));
  });

  test('stops at a stage that ran again with the same result', async () => {
    await engine().build({ reporter: silent });
    runs = [];
    await writeFile(join(directory, 'input'), 'hello there');
    const statuses = await engine().build({ reporter: silent });
    expect(runs).toEqual(['base_extract', 'base_configure']);
    expect(statuses.map(({ reasons }) => reasons)).toEqual([['the file changed'], ['text changed'], []]);
  });

  test('says before running what would run and why, and runs nothing', async () => {
    await engine().build({ reporter: silent });
    runs = [];
    await writeFile(join(directory, 'input'), 'other');
    const plan = await engine().plan();
    expect(plan.map(({ state }) => state)).toEqual(['stale', 'stale', 'stale']);
    expect(plan.map(({ reasons }) => reasons)).toEqual([
      ['the file changed'],
      ['base_extract has to run first'],
      ['base_configure has to run first'],
    ]);
    expect(runs).toEqual([]);
  });

  test('records nothing for a stage that fails, and everything before it', async () => {
    const failing = threeStages({ run: () => Promise.reject(new Error('broken')) });
    await expect(engine(failing).build({ reporter: silent })).rejects.toThrow('broken');
    const statuses = await engine().plan();
    expect(statuses.map(({ state }) => state)).toEqual(['fresh', 'fresh', 'missing']);
  });

  test('makes a result again that is gone from the depot', async () => {
    await engine().build({ reporter: silent });
    await rm(join(directory, 'state/depot'), { recursive: true });
    runs = [];
    const statuses = await engine().build({ reporter: silent });
    expect(statuses[0]).toMatchObject({ state: 'built', reasons: ['its result is gone'] });
    expect(runs).toEqual(['base_extract']);
  });

  test('refuses to let a stage read what it does not declare', async () => {
    const nosy = threeStages({
      run: async (access) => ({ values: { text: await access.text('the file') }, note: '' }),
    });
    await expect(engine(nosy).build({ reporter: silent })).rejects.toThrow('does not declare');
  });

  test('runs a fresh stage when it is forced, and only that one', async () => {
    await engine().build({ reporter: silent });
    runs = [];
    const statuses = await engine().build({ force: ['base_configure'], reporter: silent });
    expect(runs).toEqual(['base_configure']);
    expect(statuses[1]).toMatchObject({ state: 'built', reasons: ['forced'] });
  });
});

describe('the name of a stage', () => {
  test('may be the one that the mission uses', () => {
    expect(stageNamed('alpine_packages')).toBe('base_packages');
    expect(stageNamed('cleanup')).toBe('cleanup');
  });

  test('that nobody knows comes back with the one that was meant', () => {
    expect(() => stageNamed('clean_up')).toThrowError(
      expect.objectContaining({ kind: 'usage', hint: 'did you mean cleanup?' }),
    );
  });
});
