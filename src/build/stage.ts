import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, sha256 } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import { compareBytes } from '../base/names.ts';
import type { Reporter } from '../base/progress.ts';
import type { Depot } from '../tree/depot.ts';
import type { Tree } from '../tree/tree.ts';
import type { Project } from './project.ts';
import type { Recipe } from './recipe.ts';

/** The stages in the order in which they run. */
export const stageNames = [
  'base_extract',
  'base_configure',
  'base_packages',
  'base_firmware',
  'components_build',
  'components_verify',
  'kernel_modules',
  'init_script',
  'components_copy',
  'zinit_setup',
  'modules_setup',
  'modules_copy',
  'cleanup',
  'validation',
  'initramfs_create',
  'initramfs_test',
  'kernel_build',
  'boot_tests',
] as const;

export type StageName = (typeof stageNames)[number];

/** One thing that a stage reads. What is not declared cannot be read. */
export type Input =
  /** A value of the recipe or the environment. */
  | { readonly kind: 'value'; readonly value: unknown }
  /** A file of the recipe, or all files below a directory of it; `label` is what the user calls it. */
  | { readonly kind: 'file' | 'directory'; readonly path: string; readonly label: string }
  /** What an earlier stage made: a tree or a value. */
  | { readonly kind: 'output'; readonly stage: StageName; readonly output: string };

export type Inputs = Readonly<Record<string, Input>>;

export const value = (of: unknown): Input => ({ kind: 'value', value: of });
export const file = (path: string, label: string): Input => ({ kind: 'file', path, label });
export const recipeFile = (recipe: Recipe, name: string): Input =>
  file(recipe.path(name), recipe.label(name));
export const recipeDirectory = (recipe: Recipe, name: string): Input => ({
  kind: 'directory',
  path: recipe.path(name),
  label: recipe.label(name),
});
export const output = (stage: StageName, name: string): Input => ({ kind: 'output', stage, output: name });

/** What a stage made. Trees are kept in the depot, values in the stage's record; both by digest. */
export interface StageResult {
  readonly trees?: Readonly<Record<string, Tree>>;
  readonly values?: Readonly<Record<string, unknown>>;
  /** One line for the table: what was made, or why there was nothing to do. */
  readonly note: string;
}

/** A step of the build: a function of its declared inputs. */
export interface Stage {
  readonly name: StageName;
  /** What it does, for the table of stages and the documentation. */
  readonly summary: string;
  /** `import.meta.filename` of its module: changed code makes the stage stale. */
  readonly module: string;
  inputs(recipe: Recipe, project: Project): Inputs | Promise<Inputs>;
  run(access: StageAccess): Promise<StageResult>;
}

/** The only way for a stage to its inputs: by declared name. */
export interface StageAccess {
  readonly depot: Depot;
  readonly reporter: Reporter;
  /** Where packages and other downloads are kept by digest between builds; never an input. */
  readonly cache: string;
  value<T>(name: string): Promise<T>;
  text(name: string): Promise<string>;
  /** The path of a declared file or directory. */
  path(name: string): string;
  /** What the user calls it, for messages. */
  label(name: string): string;
  tree(name: string): Promise<Tree>;
}

/** The digest of an input that is not an output of another stage; `absent` for a file that does not exist. */
export async function inputDigest(input: Exclude<Input, { kind: 'output' }>): Promise<string> {
  switch (input.kind) {
    case 'value':
      return digestOf(input.value);
    case 'file':
      return fileDigest(input.path);
    case 'directory':
      return directoryDigest(input.path);
  }
}

async function fileDigest(path: string): Promise<string> {
  try {
    return sha256(await readFile(path));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'absent';
    throw error;
  }
}

async function directoryDigest(path: string): Promise<string> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const name of files.sort(compareBytes))
    hash.update(`${name.slice(path.length)}\0${await fileDigest(name)}\n`);
  return hash.digest('hex');
}
