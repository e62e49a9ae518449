import { join } from 'node:path';
import { readTextIfPresent, writeAtomic } from '../src/base/files.ts';

const page = join(import.meta.dirname, '../docs/performance.md');

/** The benchmarks in the order of the page, in which `bench/all.ts` runs them. */
export const benchmarks = [
  'pack',
  'pack-mixed',
  'repack',
  'unpack',
  'verify',
  'mount',
  'mount-warm',
  'clone',
  'cache',
  's3-latency',
  'dir-store',
  'block-workers',
  'trace',
] as const;

/** What stands above the sections. */
export const pageHead = `# Performance

Every section is written by its benchmark, \`tools/with-node24 bench/NAME.ts --write\`, and all of them by \`npm run bench\`: some 20 minutes, on a machine that
does nothing else. Seconds and MB/s (1,000,000 bytes a second) belong to the machine that the section names. Only **ratios** can be compared with those of another
machine or another day, and only where nothing else ran: \`load\` is how many programs wanted a core in the minute before, the benchmark before among them. A ratio is
always taken between two medians of one run, in which everything that is compared did its rounds in turn:

- **of the limit**: what was reached, divided by what the machine could give if nothing else had to be done; 1.00 is perfect.
  What the limit is stands in its section, and it is measured in the same run.
- **of** something else: how many times as much, or as long, as that took.
- **beyond Node's start**: the same without the time in which Node.js starts and ends (\`node -e 0\`), which no size of the work changes.`;

/** Puts a section that a benchmark printed into docs/performance.md, in place of its former one, all in the order of `benchmarks`. */
export async function writeSection(name: string, title: string, lines: readonly string[]): Promise<void> {
  const sections = sectionsOf((await readTextIfPresent(page)) ?? '');
  sections.set(name, [begin(name), `## ${title}`, '', ...lines, end(name)].join('\n'));
  const rank = (section: string) => (benchmarks as readonly string[]).indexOf(section);
  const inOrder = [...sections].sort(([a], [b]) => rank(a) - rank(b)).map(([, text]) => text);
  await writeAtomic(page, `${[pageHead, ...inOrder].join('\n\n')}\n`);
}

const begin = (name: string) => `<!-- bench/${name}.ts -->`;
const end = (name: string) => `<!-- end of bench/${name}.ts -->`;

/** The sections of the page by the name of their benchmark, without those whose benchmark is no more. */
export function sectionsOf(text: string): Map<string, string> {
  const sections = new Map<string, string>();
  for (const name of benchmarks) {
    const [from, to] = [text.indexOf(begin(name)), text.indexOf(end(name))];
    if (from >= 0 && to > from) sections.set(name, text.slice(from, to + end(name).length));
  }
  return sections;
}

/** A table in Markdown that is readable as it is: the first row is the head, the first column words, the others numbers. */
export function markdownTable([names = [], ...rows]: readonly (readonly string[])[]): string[] {
  const widths = names.map((name, column) =>
    Math.max(3, name.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(names), line(rule), ...rows.map(line)];
}

/** The value in the middle; of an even number the upper of the two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
