import { closeSync, mkdtempSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError, Failure } from '../src/base/errors.ts';
import { run } from '../src/base/exec.ts';
import { median, writeSection } from './section.ts';

/** What a benchmark works with. */
export interface Bench {
  /** The arguments that are no options. */
  readonly args: readonly string[];
  readonly rounds: number;
  /** An empty directory on the disk that is measured. What is in it stays until the last benchmark has ended (`bench/all.ts`). */
  readonly work: string;
  /** A path in it that was never there. */
  fresh(name: string): string;
  /** A line for who waits, on standard error. */
  say(text: string): void;
}

export interface BenchmarkOptions {
  readonly title: string;
  /** How often everything is measured, unless `--rounds` says otherwise. */
  readonly rounds: number;
}

/** Thrown where a benchmark goes on to something new, so that it unmounts, stops and removes what it has made. */
let interruption: Failure | undefined;

/**
 * Runs a benchmark from the command line, `[--rounds N] [--work DIRECTORY] [--keep] [--write] ARGUMENT…`, prints its lines, and with
 * `--write` puts them into docs/performance.md. Its work directory is removed however it ends, unless `--keep` leaves its empty files to the caller.
 * @param file of the benchmark, whose name is that of its section
 */
export async function benchmark(
  file: string,
  { title, rounds }: BenchmarkOptions,
  measure: (bench: Bench) => Promise<readonly string[]>,
): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: `${rounds}` },
      work: { type: 'string', default: tmpdir() },
      keep: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const [load] = loadavg();
  const work = await mkdtemp(join(values.work, 'zosbuilder-bench-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      interruption = new Failure('failed', `interrupted by ${signal}`);
    });
  const name = basename(file, '.ts');
  const creation = secondsToCreate(work);
  if (creation > slowCreation) console.error(`bench/${name}: ${describeCreation(creation)}`);
  let count = 0;
  try {
    const measured = await measure({
      args: positionals,
      rounds: Number(values.rounds),
      work,
      fresh(prefix) {
        if (interruption) throw interruption;
        return join(work, `${prefix}-${count++}`);
      },
      say(text) {
        if (interruption) throw interruption;
        process.stderr.write(`bench/${name}: ${text}\n`);
      },
    });
    const slowest = Math.max(creation, secondsToCreate(work));
    const begin = { load: load!, creation: slowest };
    const lines = [...measured, '', await conditions(work, Number(values.rounds), begin)];
    console.log([`## ${title}`, '', ...lines].join('\n'));
    if (values.write) await writeSection(name, title, lines);
  } catch (error) {
    console.error(
      `bench/${name}: ${error instanceof Failure ? describeError(interruption ?? error) : (error as Error).stack}`,
    );
    process.exitCode = 1;
  } finally {
    await emptyFiles(work);
    if (!values.keep) await rm(work, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What the figures belong to. */
async function conditions(
  work: string,
  rounds: number,
  { load, creation }: { readonly load: number; readonly creation: number },
): Promise<string> {
  const { stdout } = await run('df', ['--output=fstype', work]);
  const fileSystem = stdout.toString().trim().split('\n').at(-1);
  const [linux] = /^[\d.]+\d/.exec(release()) ?? [release()];
  const cores = `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'of an unknown kind'})`;
  const slow = creation > slowCreation ? ` ${describeCreation(creation)}.` : '';
  return `${cores}, Linux ${linux}, ${fileSystem}, Node.js ${process.versions.node}, load ${load.toFixed(1)} at the start; medians of ${rounds} rounds.${slow}`;
}

/** Seconds that a new file may take where nothing is wrong: ext4 and tmpfs take a fifth of it. */
const slowCreation = 1e-4;

/** Seconds that most new files take, of 200 in 20 new directories: three of four take less. They stay. */
function secondsToCreate(work: string): number {
  const [directories, files] = [20, 10];
  const milliseconds: number[] = [];
  for (let i = 0; i < directories; i++) {
    const directory = mkdtempSync(join(work, 'creation-'));
    for (let file = 0; file < files; file++) {
      const start = performance.now();
      closeSync(openSync(join(directory, `${file}`), 'wx'));
      milliseconds.push(performance.now() - start);
    }
  }
  return milliseconds.sort((a, b) => a - b)[(milliseconds.length * 3) >> 2]! / 1000;
}

function describeCreation(seconds: number): string {
  return (
    `Creating a file took ${(seconds * 1000).toFixed(2)} ms here: on ext4 without a journal that is so for some minutes after many files ` +
    `were removed, and what is written is measured too slow`
  );
}

/**
 * Takes the bytes of a directory from the disk, but not its files: ext4 without a journal gives out no inode that was deleted in the last
 * minutes and looks through those one by one at each creation, so whatever was removed between two rounds would slow down the second.
 * By many processes, since a disk that is told of each block that it loses (`discard`) takes half a millisecond a file. What this user may
 * not write stays as it is.
 */
export async function emptyFiles(directory: string): Promise<void> {
  const script = 'find "$1" -xdev -type f -size +0 -print0 | xargs -0 -r -P 16 -n 100 truncate -s 0';
  await run('sh', ['-c', script, 'sh', directory], { accept: [123] }); // 123: some could not be
}

/** Seconds that something takes, after what waits to be written to the disk was written. */
export async function timed({ work }: Pick<Bench, 'work'>, task: () => Promise<unknown>): Promise<number> {
  await run('sync', ['-f', work]);
  const start = performance.now();
  await task();
  return (performance.now() - start) / 1000;
}

/**
 * Measures each of some ways in turn, round by round.
 * @param ways each gives the seconds that it took
 * @returns the median of each way, by its name
 */
export async function inTurn<Name extends string>(
  { rounds, say }: Pick<Bench, 'rounds' | 'say'>,
  ways: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number>> {
  const values = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++)
    for (const [name, way] of Object.entries<() => Promise<number>>(ways)) {
      const value = await way();
      values.set(name, [...(values.get(name) ?? []), value]);
      say(`round ${round} of ${rounds}: ${name}: ${value.toPrecision(3)} s`);
    }
  return Object.fromEntries([...values].map(([name, all]) => [name, median(all)])) as Record<Name, number>;
}

/** Seconds in which Node.js starts and ends without doing anything; the median of nine. */
export async function nodeStart(bench: Pick<Bench, 'work'>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 9; i++) times.push(await timed(bench, () => run(process.execPath, ['-e', '0'])));
  return median(times);
}
