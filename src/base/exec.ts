import { spawn } from 'node:child_process';
import { errnoOf, Failure } from './errors.ts';

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the child; the caller's own by default. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: Uint8Array | string;
  /** Kill the child after so many milliseconds. */
  readonly timeout?: number;
  /** Exit codes that are not a failure; only 0 by default. */
  readonly accept?: readonly number[];
  /** The Debian package that brings the program, for the hint when it is missing. */
  readonly package?: string;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const tail = (text: string, lines = 12) => text.trimEnd().split('\n').slice(-lines).join('\n');

/**
 * Runs a program to its end and returns what it printed.
 * @throws Failure `missing-tool` when it is not installed, `timeout`, or `failed` with the end of its error output.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = options.timeout
      ? setTimeout(() => {
          timedOut = true;
          child.kill('SIGKILL');
        }, options.timeout)
      : undefined;
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => {}); // a child that does not read its input is judged by its exit code
    child.stdin.end(options.input);
    child.on('error', (error) => {
      clearTimeout(timer);
      const missing = errnoOf(error) === 'ENOENT';
      reject(
        new Failure(missing ? 'missing-tool' : 'failed', `cannot run ${program}`, {
          cause: missing ? new Error('not installed, or not in PATH') : error,
          ...(missing && { hint: `install it: apt-get install ${options.package ?? program}` }),
        }),
      );
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const errors = Buffer.concat(stderr).toString();
      if (timedOut) reject(new Failure('timeout', `${program} did not end within ${options.timeout} ms`));
      else if (code !== null && (code === 0 || options.accept?.includes(code)))
        resolve({ code, stdout: Buffer.concat(stdout), stderr: errors });
      else
        reject(
          new Failure('failed', `${program} ended with ${signal ?? `code ${code}`}`, {
            cause: new Error(tail(errors) || 'it printed no error'),
          }),
        );
    });
  });
}
