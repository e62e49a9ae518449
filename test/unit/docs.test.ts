import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { acceleratorChoices } from '../../src/boot/accelerator.ts';
import { fatalPatterns } from '../../src/boot/fatal.ts';
import { scenarios } from '../../src/boot/scenarios/all.ts';
import { stageNamed } from '../../src/build/engine.ts';
import { flistNames } from '../../src/build/flist-names.ts';
import { projectAt } from '../../src/build/project.ts';
import { readRecipe, recipeSchema } from '../../src/build/recipe.ts';
import { stages } from '../../src/build/stages.ts';
import { sampleManifest } from '../../src/flist/manifest/test-manifest.ts';
import { parseRequestPath } from '../../src/hub/request-path.ts';
import { initramfsName } from '../../src/image/initramfs.ts';
import { FlistXattrs } from '../../src/mount/flist-xattrs.ts';
import { formatMetrics } from '../../src/mount/stats/prometheus.ts';
import { emptyStatistics, figuresOf } from '../../src/mount/stats/test-figures.ts';
import { milestones } from '../../src/node/console.ts';
import { paths } from '../../src/node/paths.ts';
import { readUnitDirectory } from '../../src/node/unit-directory.ts';
import { storeKinds } from '../../src/store/kinds.ts';
import { openStore } from '../../src/store/open.ts';
import { parameterNames, splitAddress } from '../../src/store/parameters.ts';
import { faultEffects, parseFaultRule } from '../../src/store/wrappers/fault-rules.ts';
import { terminalSvg } from '../../tools/terminal-svg.ts';
import { commonFlags, type Face, faces, flagsOf, type Leaf, leavesOf } from './commands.ts';
import {
  codeIn,
  codeLines,
  headings,
  localLinks,
  read,
  root,
  section,
  tableNames,
  tableRows,
} from './markdown.ts';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'ARCHITECTURE.md',
  ...globSync('docs/*.md', { cwd: root }),
].sort();
const docs = globSync('docs/*.md', { cwd: root }).map(read).join('\n');
const optionHead = '| option | meaning |';

/** The texts of the program's files that a pattern names, without their tests. */
function sources(...patterns: string[]): string {
  const files = globSync(patterns, { cwd: root, withFileTypes: true }).filter((entry) => entry.isFile());
  const named = files.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  return named
    .filter((path) => !/\.(test|fixture)\.ts$/.test(path))
    .map(read)
    .join('\n');
}

const found = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? match[0]))].sort();

describe.each(faces)('the commands of %s', (face) => {
  const documented = headings(docs).filter((line) => line.startsWith(`### \`${face} `));

  it('each have a heading, and each heading a command', async () => {
    const usages = (await leavesOf(face)).map(({ usage }) => usage);
    expect(documented.flatMap(codeIn).sort()).toEqual(usages.sort());
  });

  it.each(documented)('%s lists their options, no more and no fewer', async (heading) => {
    const leaves = (await leavesOf(face)).filter(({ usage }) => codeIn(heading).includes(usage));
    const options = leaves.flatMap((leaf) => leaf.options);
    const rows = tableRows(section(docs, heading), optionHead);
    expect(rows.map(({ code }) => code[0]![0]).sort()).toEqual([...new Set(options.map(flagsOf))].sort());
    for (const { flags, defaultValue, argChoices = [] } of options) {
      const row = rows.find(({ code }) => code[0]![0] === flags)!;
      const said = row.code[1] ?? [];
      if (typeof defaultValue === 'string') expect(said, flags).toContain(defaultValue);
      expect(said, flags).toEqual(expect.arrayContaining(argChoices));
    }
  });

  it('have their common options in one table', () => {
    const text = section(docs, `## Options of every \`${face}\` command`);
    expect(tableNames(text, optionHead).sort()).toEqual(commonFlags(face).sort());
  });
});

describe('the command lines in the pages', async () => {
  const lines = pages.flatMap((page) =>
    codeLines(read(page))
      .flatMap((line) => line.replace(/\s#.*/, '').split(' && '))
      .flatMap((line) => {
        const [, face, words] = /^(?:\$ )?\S*\/(zosbuilder|rfs) (.+)$/.exec(line) ?? [];
        return words === undefined ? [] : [{ page, face: face as Face, words: words.trim().split(/\s+/) }];
      }),
  );
  const leaves = { zosbuilder: await leavesOf('zosbuilder'), rfs: await leavesOf('rfs') };

  it('are there', () => expect(lines.length).toBeGreaterThan(20));

  it.each(lines)('$page: $face $words', ({ face, words }) => {
    const namesOf = ({ usage }: Leaf) => usage.split(' ').filter((word) => /^\w/.test(word));
    const meant = leaves[face].filter((each) =>
      namesOf(each).every((name) => [face, ...words].includes(name)),
    );
    const leaf = meant.toSorted((a, b) => namesOf(b).length - namesOf(a).length)[0];
    const flags = [...(leaf?.options ?? []).map(flagsOf), ...commonFlags(face)];
    expect(leaf && namesOf(leaf)[1], 'the verb').toBe(words[0]);
    const options = words.filter((word) => word.startsWith('-'));
    expect(flags.flatMap((flag) => flag.split(/[ ,]+/))).toEqual(expect.arrayContaining(options));
  });
});

describe('the recipe page', () => {
  const text = read('docs/recipe.md');
  const keyRows = tableRows(text, '| key | default | meaning |');

  it('has every key of image.yaml', () => {
    expect(keyRows.map(({ code }) => code[0]![0]).sort()).toEqual(keysOf(recipeSchema).sort());
  });

  it('has the defaults of the profile', () => {
    const defaults = { ...parse(read('config/profiles/debian/image.yaml')), profile: 'debian' };
    for (const { cells, code } of keyRows) {
      const value = code[0]![0]!.split('.').reduce((at: unknown, key) => (at as never)?.[key], defaults);
      if (code[1]![0] !== undefined) expect(parse(code[1]![0]), cells[0]).toEqual(value);
      else expect(cells[1], cells[0]).toBe(value === undefined ? 'none' : 'a list');
    }
  });

  it('has every file and directory of config/', () => {
    const entries = globSync(['config/*', 'config/profiles/debian/*'], { cwd: root, withFileTypes: true });
    const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    const expected = [...new Set(names)].filter((name) => name !== 'profiles/').sort();
    expect(tableNames(text, '| file | says | page |').sort()).toEqual(expected);
  });

  it('has every variable of the environment', () => {
    const read = found(sources('src/build/**/*.ts', 'src/cli/**/*.ts'), /process\.env\['(\w+)'\]/g);
    const launcher = found(sources('tools/with-node24'), /ZOSBUILDER_NO_INSTALL/g);
    const named = tableNames(section(text, '## Environment'), '| variable | meaning |');
    expect(named.sort()).toEqual([...read, ...launcher].sort());
  });
});

/** The keys of a schema as people write them: `compression.format`. */
function keysOf(schema: z.ZodObject): string[] {
  return Object.entries(schema.shape).flatMap(([key, value]) =>
    value instanceof z.ZodObject ? keysOf(value).map((inner) => `${key}.${inner}`) : [key],
  );
}

describe('the page of the stages', () => {
  const text = read('docs/stages.md');
  const rows = tableRows(text, '| stage | what it does | reads |');

  it('has every stage with its summary, in order', () => {
    const expected = stages.map(({ name, summary }) => [`\`${name}\``, summary]);
    expect(rows.map(({ cells }) => cells.slice(0, 2))).toEqual(expected);
  });

  it('says what each stage reads', async () => {
    const project = projectAt(root);
    const recipe = await readRecipe(project);
    for (const [index, stage] of stages.entries()) {
      const inputs = Object.entries(await stage.inputs(recipe, project));
      const names = inputs.map(([name, input]) => (input.kind === 'output' ? input.stage : name));
      expect(rows[index]!.code[2], stage.name).toEqual([...new Set(names)]);
    }
  });

  it('has only names that stages answer to', () => {
    for (const name of found(text, /`(alpine_\w+)`/g)) expect(stageNamed(name)).toMatch(/^base_/);
    expect(found(text, /`(alpine_\w+)`/g)).toEqual(found(read('src/build/engine.ts'), /alpine_\w+/g));
  });
});

describe('the results', () => {
  const flists = Object.values(flistNames('<release>', '<tag>')).map((name) => `flists/${name}`);
  const literals = found(sources('src/build/**/*.ts'), /'((?:[\w.-]+\.json)|vmlinuz|blocks)'/g);
  const parts = literals.map((name) => (name === 'blocks' ? 'blocks/' : name));
  const results = [initramfsName('zstd'), ...parts, ...flists].sort();

  it('are those that the page of the stages has', () => {
    const names = tableNames(read('docs/stages.md'), '| file in `dist/` | written by | what it is |');
    expect(names.sort()).toEqual(results);
  });

  it('are those that the README has', () => {
    const names = tableNames(read('README.md'), '| file | what it is |');
    const expected = results.map((name) => `dist/${name}`);
    expect(names.sort()).toEqual(expected);
  });
});

describe('the page of the node', () => {
  const text = read('docs/node.md');

  it('has every milestone, in order', () => {
    expect(tableNames(text, '| milestone | then | says |')).toEqual([...milestones]);
  });

  it('has every key of the kernel command line that something reads', () => {
    const program = sources('config/init', 'config/zinit/**', 'src/node/*.ts');
    const keys = found(program, /\bzos\.[a-z0-9]+(?:\.[a-z0-9]+)*|\bFLISTS?_BASE_URL\b/g);
    expect(tableNames(text, '| parameter | meaning |').sort()).toEqual(keys);
    const shell = found(program, /\bparameter (zos[\w.]*)/g);
    const typescript = found(program, /\bcmdline\.get\('([^']+)'\)/g);
    expect(keys).toEqual(expect.arrayContaining([...shell, ...typescript]));
  });

  it('has every state of a flist', () => {
    const type = /export type FlistOutcome =[\s\S]*?;\n\n/.exec(read('src/node/flist-outcome.ts'))![0];
    const states = found(type.replace(/\/\*\*[\s\S]*?\*\//g, ''), /'([a-z]+)'/g);
    expect(tableNames(text, '| state | meaning |').sort()).toEqual(states);
  });

  it('has every unit with what it is after', async () => {
    const { unitFiles } = await readUnitDirectory(join(root, 'config/zinit'));
    const rows = tableRows(text, '| unit | after |');
    const documented = rows.map(({ code }) => [code[0]![0], code[1]]);
    expect(documented.sort()).toEqual(unitFiles.map(({ unit }) => [unit.name, unit.after]).sort());
  });

  it('has every key of a unit', () => {
    const list = /^const keys = \[(.*)\];$/m.exec(read('src/node/units.ts'))![1]!;
    const named = tableNames(section(text, '## Units'), '| key | meaning |');
    expect(named.sort()).toEqual(found(list, /'(\w+)'/g));
  });

  it('has every place where the node keeps something', () => {
    const names = tableNames(text, '| path | what it holds |');
    expect(names.sort()).toEqual(Object.values(paths).sort());
  });
});

describe('the page of the flists', () => {
  const text = read('docs/flists.md');

  it('has paths that the hub serves', () => {
    const id = 'ab'.repeat(32);
    const targets = tableNames(text, '| path | answer |').map((path) =>
      path.replace('HH', 'ab').replace('ID', id),
    );
    const kinds = targets.map((target) => parseRequestPath(target)?.kind);
    expect([...new Set(kinds)].sort()).toEqual(found(read('src/hub/request-path.ts'), /kind: '([a-z-]+)'/g));
  });
});

describe('the page of the stores', () => {
  it('has every kind of store', async () => {
    const urls = tableNames(read('docs/stores.md'), '| URL | use |');
    for (const url of urls) await openStore(url);
    expect(urls.map((url) => new URL(url).protocol).sort()).toEqual(Object.keys(storeKinds).sort());
  });

  const text = read('docs/stores.md');

  it('has every parameter that all stores have', () => {
    const names = tableNames(text, '| parameter | meaning | over a network | `dir` |');
    expect(names).toEqual(parameterNames);
  });

  it('has every fault, and faults that are understood', () => {
    const effects = tableNames(text, '| effect | what happens |');
    const spelled = effects.map((effect) => effect.replace('TIME', '1s'));
    expect(spelled.map((effect) => parseFaultRule(`get:${effect}`).effect.name)).toEqual(faultEffects);
    for (const condition of tableNames(text, '| condition | when |')) parseFaultRule(`get:flip:${condition}`);
    const urls = found(text, /'(fault\+[^']+)'/g);
    expect(urls.length).toBeGreaterThan(1);
    for (const url of urls) splitAddress(url);
  });
});

describe('the page of mounting', () => {
  const text = read('docs/mounting.md');

  it('has every metric', () => {
    const metrics = formatMetrics(figuresOf(emptyStatistics()));
    const documented = tableNames(text, '| metric | counts |');
    expect(documented.sort()).toEqual(found(metrics, /^# TYPE (\w+)/gm));
  });

  it('has every attribute', () => {
    const { columns } = sampleManifest();
    const xattrs = new FlistXattrs({ columns, cachedBlocks: () => 0, storeOf: () => 'dir:' });
    const names = tableNames(text, '| attribute | value |');
    expect(names).toHaveLength(3);
    for (const name of names) expect(xattrs.value(2, Buffer.from(name)), name).toBeDefined();
  });
});

describe('the page of the boots', () => {
  const text = read('docs/boot.md');

  it('has every scenario with what it proves', () => {
    const rows = tableRows(text, '| scenario | what `ready` proves |');
    expect(rows.map(({ cells }) => cells)).toEqual(
      scenarios.map(({ name, proves }) => [`\`${name}\``, proves]),
    );
  });

  it('has every outcome of a verdict', () => {
    const outcomes = found(read('src/boot/verdict.ts'), /readonly outcome: '([a-z-]+)'/g);
    expect(tableNames(text, '| outcome | meaning |').sort()).toEqual(outcomes);
  });

  it('has every line that ends a boot', () => {
    expect(tableNames(text, '| name | meaning |')).toEqual(fatalPatterns.map(({ name }) => name));
  });

  it('has every accelerator', () => {
    const words = codeIn(section(text, '## Accelerator'));
    expect(words).toEqual(expect.arrayContaining([...acceleratorChoices]));
  });
});

describe('the README', () => {
  const text = read('README.md');

  it('begins with exactly two commands', () => {
    const [first] = /(?:^ {4}.*\n)+/m.exec(text)!;
    const commands = codeLines(first).map((line) => line.replace(/\s+#.*/, ''));
    expect(commands).toEqual(['./zosbuilder quickstart', 'npm test']);
  });

  it('links to every page of docs/', () => {
    const pages = globSync('docs/*.md', { cwd: root });
    expect(localLinks(text)).toEqual(expect.arrayContaining(pages));
  });

  it('shows a quickstart as it is printed', () => {
    const transcript = read('docs/quickstart.txt');
    expect(read('docs/quickstart.svg') === terminalSvg(transcript), 'made from docs/quickstart.txt').toBe(
      true,
    );
    const until = stages.findIndex(({ name }) => name === 'kernel_build');
    const shown = [...stages.slice(0, until + 1).map(({ name }) => name), ...milestones];
    for (const name of shown) expect(transcript).toMatch(new RegExp(`^ +${name} `, 'm'));
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('links to files that are there', () => {
    const targets = localLinks(text).map((target) => join(dirname(page), target));
    expect(targets.filter((target) => globSync(target, { cwd: root }).length === 0)).toEqual([]);
  });

  it('names scripts of package.json', () => {
    const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);
    for (const name of found(text, /\bnpm run ([\w:]+)/g)) expect(scripts).toContain(name);
  });

  it('names files of src/, config/, tools/ and bench/ that are there', () => {
    const named = codeIn(text).filter((code) => /^(src|config|tools|bench)\/[\w./-]+$/.test(code));
    expect(named.filter((path) => globSync(path, { cwd: root }).length === 0)).toEqual([]);
  });
});
