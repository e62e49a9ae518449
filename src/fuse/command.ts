import { spawn } from 'node:child_process';

/** How a program ended. */
export interface Ended {
  readonly code: number;
  /** What it printed to standard error. */
  readonly errors: string;
}

/**
 * Runs a program from `/`, so that no argument is taken for a relative path.
 * @param fd becomes its descriptor 3
 * @returns how it ended; undefined when there is no such program
 */
export function command(
  program: string,
  args: readonly string[],
  { fd, environment = {} }: { readonly fd?: number; readonly environment?: NodeJS.ProcessEnv } = {},
): Promise<Ended | undefined> {
  return new Promise((done, reject) => {
    const child = spawn(program, args, {
      cwd: '/',
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe', ...(fd === undefined ? [] : [fd])],
    });
    let errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', (cause: NodeJS.ErrnoException) =>
      cause.code === 'ENOENT' ? done(undefined) : reject(cause),
    );
    child.on('close', (code) => done({ code: code ?? 1, errors: errors.trim() }));
  });
}
