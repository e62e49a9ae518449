import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { errnoOf, Failure } from '../../base/errors.ts';

export interface AptOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunAptOptions {
  /** The configuration file that replaces the host's. */
  readonly config?: string;
  readonly cwd?: string;
  /** Called with the whole percentage done, 0 to 100, each time that it changes while apt downloads. */
  readonly onPercent?: (percent: number) => void;
}

/**
 * Runs a program of apt to its end, whatever its exit code; passwords in what it prints are masked.
 * @throws Failure `missing-tool` on a host without apt, `failed` when it was killed.
 */
export async function runApt(
  program: 'apt-get' | 'apt-cache' | 'apt-config',
  args: readonly string[],
  { config, cwd, onPercent }: RunAptOptions = {},
): Promise<AptOutput> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, LC_ALL: 'C', ...(config !== undefined && { APT_CONFIG: config }) },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const status = createInterface({ input: child.stdio[3] as Readable });
  let last: number | undefined;
  status.on('line', (line) => {
    const percent = Number(/^dlstatus:\d+:(\d+)/.exec(line)?.[1] ?? Number.NaN);
    if (!Number.isNaN(percent) && percent !== last) onPercent?.(percent);
    last = percent;
  });
  try {
    const [[code, signal], stdout, stderr] = await Promise.all([
      closed,
      text(child.stdout!),
      text(child.stderr!),
    ]);
    if (code === null) throw new Failure('failed', `${program} was ended by ${signal}`);
    return { code, stdout: withoutPasswords(stdout), stderr: withoutPasswords(stderr) };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new Failure('missing-tool', `cannot run ${program}`, {
      cause: new Error('not installed, or not in PATH'),
      hint: 'packages of Debian are resolved and authenticated by apt; build on a Debian host or in a Debian container',
    });
  } finally {
    status.close();
  }
}

const withoutPasswords = (output: string) => output.replace(/:\/\/[^/@\s]+@/g, '://***@');
