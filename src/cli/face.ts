import { once } from 'node:events';
import { Command, CommanderError } from 'commander';
import { describeError, Failure } from '../base/errors.ts';
import { type Reporter, silent, streamReporter } from '../base/progress.ts';

/** One verb of a face: what the help says of it, and the module that defines its arguments and action. */
export interface Verb {
  readonly summary: string;
  readonly load: () => Promise<VerbModule>;
}

export interface VerbModule {
  readonly default: (command: Command) => void;
  /** The exit code for what was thrown, where it is not that of other verbs. */
  readonly exitCodeOf?: (error: unknown) => number;
}

export interface Face {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly verbs: Readonly<Record<string, Verb>>;
  /** Called when the verb is loaded, before it runs. */
  readonly onLoaded?: () => void;
}

/** The options that every verb has, read by `reporterOf` and by the error printer. */
export interface CommonOptions {
  readonly quiet?: boolean;
  readonly debug?: boolean;
}

/** Exit codes of both faces: done, failed, and a command line that makes no sense. */
export const exitCode = { done: 0, failed: 1, usage: 2 } as const;

/**
 * Runs a face on the command line of this process: loads the one verb that is asked for, runs it, prints what it throws
 * as `error:` and `hint:` lines on standard error, and sets the exit code.
 */
export async function runFace(face: Face, argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  process.report.excludeEnv = true; // a crash report may be sent around; the environment may hold secrets
  // A reader that stops early (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const asked = argv.find((argument) => !argument.startsWith('-'));
  const program = withCommonOptions(
    new Command(face.name)
      .description(face.description)
      .version(face.version, '-V, --version')
      .exitOverride(),
  );
  const help =
    asked !== undefined && face.verbs[asked] ? `${face.name} ${asked} --help` : `${face.name} --help`;
  program.configureOutput({ outputError: (text, write) => write(usageError(text, help)) });
  let exitCodeOf = usualExitCode;
  for (const [name, verb] of Object.entries(face.verbs)) {
    const command = withCommonOptions(program.command(name).summary(verb.summary).description(verb.summary));
    if (name !== asked) continue;
    const module = await verb.load();
    module.default(command);
    exitCodeOf = module.exitCodeOf ?? usualExitCode;
  }
  face.onLoaded?.();
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    report(error, argv.includes('--debug'));
    const isHelp = error instanceof CommanderError && error.exitCode === 0;
    process.exitCode = isHelp ? exitCode.done : exitCodeOf(error);
  }
}

function withCommonOptions(command: Command): Command {
  return command
    .option('-q, --quiet', 'print results only, no progress')
    .option('--debug', 'print the whole cause of an error')
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false });
}

/** What commander says of a command line, with its guess, or else the help to read, as the hint. */
function usageError(text: string, help: string): string {
  const [, error = text, meant] = /^(.*?)(?:\n\(Did you mean (.*)\))?\n*$/s.exec(text) ?? [];
  return `${error}\nhint: ${meant === undefined ? `run: ${help}` : `did you mean ${meant}`}\n`;
}

/** The exit code of most verbs for what was thrown. */
export function usualExitCode(error: unknown): number {
  const isUsage = error instanceof CommanderError || (error instanceof Failure && error.kind === 'usage');
  return isUsage ? exitCode.usage : exitCode.failed;
}

function report(error: unknown, debug: boolean): void {
  if (error instanceof CommanderError) return; // commander has printed it
  console.error(`error: ${describeError(error)}`);
  if (error instanceof Failure && error.hint !== undefined) console.error(`hint: ${error.hint}`);
  if (debug) console.error(error);
}

/** Where a verb reports its progress: standard error, so that results on standard output can be piped. */
export function reporterOf(options: CommonOptions): Reporter {
  return options.quiet ? silent : streamReporter(process.stderr);
}

/** Prints lines as fast as they are taken, so that millions of them need no memory. */
export async function printLines(lines: Iterable<string>): Promise<void> {
  let chunk = '';
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < 65536) continue;
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
    chunk = '';
  }
  if (chunk !== '') process.stdout.write(chunk);
}

/** The lines of a JSON object with a long list in it, an item a line, and what `rest` gives when the list is through. */
export function* jsonWithList(
  name: string,
  items: Iterable<unknown>,
  rest: () => Readonly<Record<string, unknown>>,
): Generator<string> {
  yield `{\n  ${JSON.stringify(name)}: [`;
  let before: string | undefined;
  for (const item of items) {
    if (before !== undefined) yield `${before},`;
    before = `    ${JSON.stringify(item)}`;
  }
  if (before !== undefined) yield before;
  const fields = Object.entries(rest()).map(
    ([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`,
  );
  yield `  ],\n${fields.join(',\n')}\n}`;
}

/** Prints a result for machines. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
