import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Project, packageRoot, projectAt } from './project.ts';
import { readRecipe } from './recipe.ts';

let directory: string;
let project: Project;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recipe-'));
  await cp(join(packageRoot, 'config'), join(directory, 'config'), { recursive: true });
  project = projectAt(directory);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const image = (text: string) => writeFile(join(directory, 'config/image.yaml'), text);

describe('the recipe', () => {
  test('takes its defaults from the profile', async () => {
    const { values } = await readRecipe(project);
    expect(values).toMatchObject({ profile: 'debian', suite: 'host', compression: { format: 'zstd' } });
    expect(values.budget.initramfs).toBe(96 * 1024 * 1024);
  });

  test('lets image.yaml overrule the profile', async () => {
    await image('profile: debian\nsuite: trixie\n');
    expect((await readRecipe(project)).values.suite).toBe('trixie');
  });

  test('merges a section key by key', async () => {
    await image('profile: debian\ncompression: { level: 19 }\n');
    expect((await readRecipe(project)).values.compression).toEqual({ format: 'zstd', level: 19 });
  });

  test('prefers a list of the profile to the common one', async () => {
    const recipe = await readRecipe(project);
    expect(recipe.path('packages.list')).toContain('profiles/debian/packages.list');
    expect(recipe.path('modules.conf')).not.toContain('profiles');
  });

  test.each([
    [
      'profile: debian\nsuites: trixie\n',
      'config/image.yaml:2: unknown key "suites"',
      'did you mean "suite"?',
    ],
    ['profile: debian\n\nbudget:\n  initramfs: big\n', 'config/image.yaml:4: "budget.initramfs"', undefined],
    [
      'profile: debian\ncompression: {levle: 3}\n',
      'unknown key "compression.levle"',
      'the keys are format, level',
    ],
    ['profile: debian\nboot_tests: [nope]\n', 'config/image.yaml:2: "boot_tests.0"', undefined],
    [
      'profile: debian\ncompression: {format: lzma}\n',
      'config/image.yaml:2: "compression.format"',
      undefined,
    ],
    [
      'profile: fedora\n',
      'config/image.yaml:1: there is no profile "fedora"',
      expect.stringContaining('debian'),
    ],
    ['profile: debian\n  suite: [\n', 'config/image.yaml:', undefined],
    ['suite: trixie\n', '"profile" must name a profile', expect.any(String)],
  ])('refuses %j and says where', async (text, message, hint) => {
    await image(text);
    await expect(readRecipe(project)).rejects.toThrowError(
      expect.objectContaining({
        kind: 'config',
        message: expect.stringContaining(message),
        ...(hint && { hint }),
      }),
    );
  });

  test('is the embedded one where a project has none', async () => {
    await rm(join(directory, 'config'), { recursive: true });
    expect(projectAt(directory).config).toBe(join(packageRoot, 'config'));
    expect(await readFile(join(packageRoot, 'config/image.yaml'), 'utf8')).toContain('profile: debian');
  });
});
