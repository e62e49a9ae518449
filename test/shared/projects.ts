import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, onTestFinished } from 'vitest';
import { sha256 } from '../../src/base/digest.ts';
import { run } from '../../src/base/exec.ts';
import { type Answer, repository, zosbuilder } from './commands.ts';
import { noteMeasurement } from './ground.ts';

/** A directory in which a user runs `zosbuilder`. */
export interface TestProject {
  readonly directory: string;
  readonly config: string;
  readonly state: string;
  readonly dist: string;
}

/** The project that all scenarios share, with what its quickstart printed. */
export interface BuiltProject extends TestProject {
  // biome-ignore lint/suspicious/noExplicitAny: a scenario names what it expects of a result
  readonly quickstart: any;
  /** Progress, as a user saw it. */
  readonly progress: string;
}

/**
 * The project that all scenarios share: `zosbuilder quickstart` in a directory with nothing but `config/`. Whoever asks
 * first makes it, so that a scenario can be run alone. Nobody changes it; see `copyOf`.
 */
export async function builtProject(): Promise<BuiltProject> {
  const project = projectIn(join(inject('ground'), 'project'));
  const memory = join(inject('ground'), 'quickstart.json');
  if (!existsSync(memory)) await writeFile(memory, JSON.stringify(await firstQuickstart(project)));
  const answer = JSON.parse(await readFile(memory, 'utf8')) as Answer;
  expect(answer.code, `the quickstart failed:\n${answer.stderr}${answer.stdout}`).toBe(0);
  return { ...project, quickstart: JSON.parse(answer.stdout), progress: answer.stderr };
}

async function firstQuickstart(project: TestProject): Promise<Answer> {
  await newProject(project.directory);
  await reuseDownloads(project);
  return measured('quickstart', () => zosbuilder(['quickstart', '--json'], { cwd: project.directory }));
}

/** ZOSBUILDER_TEST_CACHE names the state of a project whose downloads the tests may use; without it they download. */
async function reuseDownloads(project: TestProject): Promise<void> {
  const other = process.env['ZOSBUILDER_TEST_CACHE'];
  if (other) await copyTree(join(other, 'cache'), join(project.state, 'cache'));
}

export function projectIn(directory: string): TestProject {
  return {
    directory,
    config: join(directory, 'config'),
    state: join(directory, '.zosbuilder'),
    dist: join(directory, 'dist'),
  };
}

/** A directory with a copy of the recipe of this repository. */
export async function newProject(directory: string): Promise<TestProject> {
  const project = projectIn(directory);
  await mkdir(directory, { recursive: true });
  await cp(join(repository, 'config'), project.config, { recursive: true });
  return project;
}

/**
 * A project with the same recipe, state and results, to be changed. State and results are hard links, as nothing ever
 * writes into a file that is there.
 */
export async function copyOf(project: TestProject, name: string): Promise<TestProject> {
  const copy = projectIn(await scratch(name));
  await cp(project.config, copy.config, { recursive: true });
  await run('cp', ['-al', project.state, project.dist, copy.directory]);
  return copy;
}

/** An empty directory on the ground of the scenarios. */
export function scratch(name: string): Promise<string> {
  return mkdtemp(join(inject('ground'), `${name}-`));
}

/** The same, gone with the test that asks for it. */
export async function temporary(name: string): Promise<string> {
  const directory = await scratch(name);
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(join(to, '..'), { recursive: true });
  await run('cp', ['-a', '--reflink=auto', from, to]);
}

/** Adds a line to a file of the recipe. */
export async function addLine(project: TestProject, file: string, line: string): Promise<void> {
  const path = join(project.config, file);
  await writeFile(path, `${await readFile(path, 'utf8')}${line}\n`);
}

/** Runs something and keeps how long it took for the summary; no test asserts a time. */
export async function measured<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  await noteMeasurement(inject('ground'), `${seconds.padStart(6)} s  ${what}`);
  return result;
}

/** The SHA-256 of every file below a directory, by relative path. */
export async function digestsOf(directory: string): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const path of await filesBelow(directory))
    digests[path] = sha256(await readFile(join(directory, path)));
  return digests;
}

/** What changes whenever anything touches a file below a directory: inode, size, time of the last change. */
export async function marksOf(directory: string): Promise<Record<string, string>> {
  const marks: Record<string, string> = {};
  for (const path of await filesBelow(directory)) {
    const { ino, size, ctimeNs } = await lstat(join(directory, path), { bigint: true });
    marks[path] = `${ino} ${size} ${ctimeNs}`;
  }
  return marks;
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
