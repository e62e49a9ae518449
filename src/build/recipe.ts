import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { errnoOf, Failure } from '../base/errors.ts';
import { closestName } from '../base/names.ts';
import { scenarios } from '../boot/scenarios/all.ts';
import type { Project } from './project.ts';

const byteCount = z
  .string()
  .regex(/^\d+(\.\d+)? ?(B|KiB|MiB|GiB)$/, 'expected a size such as "64 MiB"')
  .transform((text) => {
    const [, number, unit] = /^([\d.]+) ?(\w+)$/.exec(text)!;
    return Math.round(Number(number) * 1024 ** ['B', 'KiB', 'MiB', 'GiB'].indexOf(unit!));
  });

/** The keys of `image.yaml`. */
export const recipeSchema = z.strictObject({
  profile: z.string().regex(/^[a-z][a-z0-9-]*$/),
  suite: z.string().min(1),
  components: z.array(z.string()).min(1),
  architecture: z.enum(['amd64']),
  kernel: z.string().min(1),
  compression: z.strictObject({
    format: z.enum(['zstd', 'xz', 'gzip', 'none']),
    level: z.number().int().min(0).max(22).optional(),
  }),
  budget: z.strictObject({ initramfs: byteCount }),
  boot_tests: z.array(z.enum(scenarios.filter(({ needsHub }) => !needsHub).map(({ name }) => name))),
  flists: z.strictObject({ firmware_tag: z.string().regex(/^[A-Za-z0-9._-]+$/), base_url: z.string() }),
  cleanup: z.array(z.string()),
  source_date_epoch: z.number().int().nonnegative().optional(),
});

/** `image.yaml` of the project over that of its profile, checked. */
export type RecipeValues = z.infer<typeof recipeSchema>;

/** The recipe of a project: its checked values, and where each of its files is. */
export interface Recipe {
  readonly values: RecipeValues;
  /** The file of a list or directory: the profile's own where it has one, else the common one. */
  path(name: string): string;
  /** The same, as the user knows it: below `config/`. */
  label(name: string): string;
}

/**
 * Reads `image.yaml` of a project and of the profile that it names.
 * @param profileName a profile in place of the one that the file names
 * @throws Failure `config` with file, line and a suggestion for anything that does not fit the schema.
 */
export async function readRecipe(project: Project, profileName?: string): Promise<Recipe> {
  const own = await readYaml(join(project.config, 'image.yaml'), project);
  const profile = profileName ?? own.value['profile'];
  if (typeof profile !== 'string' || !/^[a-z][a-z0-9-]*$/.test(profile))
    throw new Failure('config', `${own.label}: "profile" must name a profile`, {
      hint: 'for example: profile: debian',
    });
  const profileDirectory = join(project.config, 'profiles', profile);
  if (!existsSync(join(profileDirectory, 'image.yaml')))
    throw new Failure('config', `${own.at(['profile'])}: there is no profile "${profile}"`, {
      hint: `make ${relative(project.directory, profileDirectory)}/image.yaml, or use the profile "debian"`,
    });
  const base = await readYaml(join(profileDirectory, 'image.yaml'), project);
  const values = check({ ...merge(base.value, own.value), profile }, [own, base]);
  const path = (name: string) => {
    const special = join(profileDirectory, name);
    return existsSync(special) ? special : join(project.config, name);
  };
  return { values, path, label: (name) => join('config', relative(project.config, path(name))) };
}

interface YamlFile {
  readonly label: string;
  readonly value: Record<string, unknown>;
  /** `file:line` of a key. */
  at(path: readonly (string | number)[]): string;
}

async function readYaml(file: string, project: Project): Promise<YamlFile> {
  const label = relative(project.directory, file);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT')
      throw new Failure('config', `there is no recipe at ${label}`, {
        hint: 'run in a directory with config/image.yaml',
      });
    throw error;
  });
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const broken = document.errors[0];
  if (broken)
    throw new Failure(
      'config',
      `${label}:${lines.linePos(broken.pos[0]).line}: ${broken.message.split('\n')[0]!.replace(/ at line \d+.*$/, '')}`,
      { hint: 'the file is YAML: indent with blanks, close what is opened, put odd text into quotes' },
    );
  const value = (document.toJS() ?? {}) as Record<string, unknown>;
  if (typeof value !== 'object' || Array.isArray(value))
    throw new Failure('config', `${label}: expected keys and values`);
  const at = (path: readonly (string | number)[]) => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range) return `${label}:${lines.linePos(node.range[0]).line}`;
    }
    return label;
  };
  return { label, value, at };
}

/** The values of a file over those of another; a section that both have is merged key by key. */
function merge(lower: Record<string, unknown>, upper: Record<string, unknown>): Record<string, unknown> {
  const isSection = (value: unknown): value is Record<string, unknown> =>
    value !== null && typeof value === 'object' && !Array.isArray(value);
  const merged = { ...lower };
  for (const [key, value] of Object.entries(upper)) {
    const below = merged[key];
    merged[key] = isSection(value) && isSection(below) ? { ...below, ...value } : value;
  }
  return merged;
}

/** The keys that the schema knows at a place: those of the file, or of a section of it. */
function keysAt(place: readonly (string | number)[]): string[] {
  const section =
    place.length === 0 ? recipeSchema : recipeSchema.shape[place[0] as keyof typeof recipeSchema.shape];
  return section instanceof z.ZodObject ? Object.keys(section.shape) : [];
}

function check(value: Record<string, unknown>, files: readonly YamlFile[]): RecipeValues {
  const result = recipeSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const place = path.filter((part) => typeof part !== 'symbol');
  const file = files.find((candidate) => String(place[0]) in candidate.value) ?? files[0]!;
  const name = place.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(place.slice(0, -1));
    const close = closestName(String(place.at(-1)), known);
    throw new Failure('config', `${file.at(place)}: unknown key "${name}"`, {
      hint: close ? `did you mean "${close}"?` : `the keys are ${known.join(', ')}`,
    });
  }
  throw new Failure('config', `${file.at(place)}: "${name}": ${issue.message}`, {
    hint: 'the image.yaml of the profile shows every key with its form',
  });
}
