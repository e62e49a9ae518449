import { join } from 'node:path';
import { expect } from 'vitest';
import { run } from '../../src/base/exec.ts';

export const repository = join(import.meta.dirname, '../..');

/** How a command ended, and what it printed. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** On top of the environment of the tests; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A command that runs the command: `['unshare', '--net']`. */
  readonly under?: readonly string[];
}

/** `./zosbuilder ARGS`, as a user runs it. */
export function zosbuilder(args: readonly string[], options: CommandOptions = {}): Promise<Answer> {
  return launch('zosbuilder', args, options);
}

/** `./rfs ARGS`, as a user runs it. */
export function rfs(args: readonly string[], options: CommandOptions = {}): Promise<Answer> {
  return launch('rfs', args, options);
}

/** The environment of the tests without what vitest, the launcher or a developer put into it. */
export function environment(changes: CommandOptions['env'] = {}): NodeJS.ProcessEnv {
  const ours =
    /^(VITEST|NODE_ENV$|NODE_OPTIONS$|ZOSBUILDER_|FIRMWARE_TAG$|SOURCE_DATE_EPOCH$|FLISTS?_BASE_URL$)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return { ...Object.fromEntries(kept), ...changes };
}

async function launch(face: string, args: readonly string[], options: CommandOptions): Promise<Answer> {
  const [program, ...rest] = [...(options.under ?? []), join(repository, face), ...args];
  const { code, stdout, stderr } = await run(program!, rest, {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: environment(options.env),
    accept: [0, 1, 2],
  });
  return { code, stdout: stdout.toString(), stderr };
}

/** What a command printed that has to succeed. */
export function printed(answer: Answer): string {
  expect(answer.code, answer.stderr).toBe(0);
  return answer.stdout;
}

/** The same, as the JSON that it is. */
// biome-ignore lint/suspicious/noExplicitAny: a scenario names what it expects of a result
export function printedJson(answer: Answer): any {
  return JSON.parse(printed(answer));
}

/** The output of a tool that judges our results; it has to succeed and to say nothing on standard error. */
export async function oracle(program: string, args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, args);
  expect(stderr, `${program} complains`).toBe('');
  return stdout.toString();
}

/** What a user sees of a failure: one `error:` line, one `hint:` line, nothing on standard output. */
export interface Refusal {
  readonly code: 1 | 2;
  readonly error: string | RegExp;
  readonly hint: string | RegExp;
}

/** Whether a command refused as it must. Lines of progress may stand before the error. */
export function expectRefusal({ code, stdout, stderr }: Answer, expected: Refusal): void {
  const lines = stderr.trimEnd().split('\n');
  const [error, hint] = lines.slice(-2);
  expect(error, stderr).toMatch(/^error: /);
  expect(error).toMatch(expected.error);
  expect(hint, stderr).toMatch(/^hint: /);
  expect(hint).toMatch(expected.hint);
  expect(
    lines.filter((line) => /^error:/.test(line)),
    stderr,
  ).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect({ code, stdout }).toEqual({ code: expected.code, stdout: '' });
}
