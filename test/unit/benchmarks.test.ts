import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { benchmarks } from '../../bench/section.ts';
import { read, root } from './markdown.ts';

describe('the benchmarks', () => {
  it('are all in the list that the page follows and that is run as one', () => {
    const files = globSync('bench/*.ts', { cwd: root }).filter((file) =>
      /\bbenchmark\(\s*import\.meta/.test(read(file)),
    );
    expect([...benchmarks].sort()).toEqual(files.map((file) => basename(file, '.ts')).sort());
  });

  it.each(benchmarks)('%s says how it is started', (name) => {
    expect(read(`bench/${name}.ts`)).toContain(` * Usage: tools/with-node24 bench/${name}.ts [--rounds N]`);
  });
});
