import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readUnitDirectory } from './unit-directory.ts';
import { formatUnitProblem } from './units.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'units-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('holds the regular .yaml files directly in it, by name; links and .yml files with a warning', async () => {
  await writeFile(join(directory, 'b.yaml'), 'exec: "b"');
  await writeFile(join(directory, 'a.yaml'), 'exec: "a"');
  await writeFile(join(directory, 'c.yml'), 'exec: "c"');
  await writeFile(join(directory, 'README'), 'no unit');
  await symlink('a.yaml', join(directory, 'd.yaml'));
  await mkdir(join(directory, 'init.yaml'));
  const { unitFiles, problems } = await readUnitDirectory(directory, 'zinit');
  expect(unitFiles.map(({ unit }) => unit.name)).toEqual(['a', 'b']);
  expect(problems.map(({ severity, file }) => `${severity} ${file}`)).toEqual([
    'warning zinit/c.yml',
    'warning zinit/d.yaml',
  ]);
});

it('goes on without a broken file, and says what then waits for nobody', async () => {
  await writeFile(join(directory, 'bad.yaml'), 'exec: 7');
  await writeFile(join(directory, 'good.yaml'), 'exec: "good"\nafter:\n  - bad\n');
  const { unitFiles, problems } = await readUnitDirectory(directory, 'zinit');
  expect(unitFiles.map(({ unit }) => unit.name)).toEqual(['good']);
  expect(problems.map(formatUnitProblem)).toEqual([
    'zinit/bad.yaml:1: "exec" must be a string: put it in quotes',
    'zinit/good.yaml:3: "good" is after "bad", and there is no such unit',
  ]);
});

it('of this project is without a problem', async () => {
  const { unitFiles, problems } = await readUnitDirectory(join(import.meta.dirname, '../../config/zinit'));
  expect(problems).toEqual([]);
  expect(unitFiles.map(({ unit }) => unit.name)).toContain('ready');
});
