import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchmarks, pageHead, sectionsOf } from '../../bench/section.ts';
import { read, root } from './markdown.ts';

describe('the benchmarks', () => {
  it('are all in the list that the page follows and that is run as one', () => {
    const files = globSync('bench/*.ts', { cwd: root });
    const imported = new Set(
      files.flatMap((file) => [...read(file).matchAll(/from '\.\/([\w-]+)\.ts'/g)].map((match) => match[1]!)),
    );
    const alone = files.map((file) => basename(file, '.ts')).filter((name) => !imported.has(name));
    expect(alone.sort()).toEqual(['all', ...benchmarks].sort());
  });

  it.each(benchmarks)('%s is in the frame that they share', (name) => {
    expect(read(`bench/${name}.ts`)).toMatch(/\bbenchmark\(\s*import\.meta\.filename,/);
  });

  it.each(benchmarks)('%s says how it is started', (name) => {
    expect(read(`bench/${name}.ts`)).toContain(` * Usage: tools/with-node24 bench/${name}.ts [--rounds N]`);
  });
});

describe('the page of the performance', () => {
  const page = read('docs/performance.md');
  const sections = sectionsOf(page);

  it('is its head and a section of each benchmark, in their order, and nothing else', () => {
    expect([...sections.keys()]).toEqual([...benchmarks]);
    expect(page).toBe(`${[pageHead, ...sections.values()].join('\n\n')}\n`);
  });

  it.each(
    benchmarks,
  )('has of %s the title of the benchmark, a table, and what the figures belong to', (name) => {
    const section = sections.get(name) ?? '';
    const [, title] = /{ title: '([^']+)', rounds: /.exec(read(`bench/${name}.ts`))!;
    expect(section).toContain(`\n## ${title}\n`);
    expect(section).toMatch(/^\| *-+:? *\|/m);
    expect(section).toMatch(
      /\n\d+ cores \([^)]+\), Linux [\d.]+, \S+, Node\.js [\d.]+, load [\d.]+ at the start; medians of \d+ rounds/,
    );
  });
});
