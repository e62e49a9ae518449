import { join } from 'node:path';
import { readTextIfPresent, writeAtomic } from '../src/base/files.ts';

const page = join(import.meta.dirname, '../docs/performance.md');
const head =
  '# Performance\n\nEach section was written by its benchmark: `tools/with-node24 bench/NAME.ts --write`.\n';

/** Puts a section that a benchmark printed into docs/performance.md, in place of its former one. */
export async function writeSection(name: string, title: string, lines: readonly string[]): Promise<void> {
  const before = (await readTextIfPresent(page)) ?? head;
  const [begin, end] = [`<!-- bench/${name}.ts -->`, `<!-- end of bench/${name}.ts -->`];
  const section = [begin, `## ${title}`, '', ...lines, end].join('\n');
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  const after =
    from < 0 ? `${before}\n${section}\n` : before.slice(0, from) + section + before.slice(to + end.length);
  await writeAtomic(page, after);
}

/** The value in the middle; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
