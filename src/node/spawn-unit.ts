import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { Failure } from '../base/errors.ts';
import { type LogRing, lineSplitter } from './log-ring.ts';
import type { Child, Exit } from './service.ts';
import type { Unit } from './units.ts';

/** Milliseconds that the last output of an ended process has to arrive; what it left running may hold its pipes open. */
const outputGrace = 200;

/**
 * Starts a unit's command or test in a session and process group of its own. Its environment is `environment` overlaid by
 * the unit's `env`; its output goes to `ring` (a test's under `NAME/test`), to this process's output, or nowhere.
 * @throws Failure `not-found` or `failed` when it cannot be started
 */
export function spawnUnit(
  unit: Unit,
  part: 'exec' | 'test',
  environment: NodeJS.ProcessEnv,
  ring: LogRing,
): Promise<Child> {
  const [program, ...args] = unit[part];
  const output = { ring: 'pipe', stdout: 'inherit', none: 'ignore' } as const;
  const stdio: StdioOptions = ['ignore', output[unit.log], output[unit.log]];
  const env = { ...environment, ...unit.env };
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { cwd: unit.directory, env, stdio, detached: true });
    child.once('error', (error) =>
      reject(new Failure('failed', `cannot start ${program} in ${unit.directory}`, { cause: error })),
    );
    child.once('spawn', () => resolve(groupOf(child)));
    collect(child, part === 'exec' ? unit.name : `${unit.name}/test`, ring);
  });
}

function groupOf(child: ChildProcess): Child {
  const pid = child.pid!;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      const end = () => resolve(code !== null ? { code } : { signal: signal! });
      child.once('close', end);
      setTimeout(end, outputGrace);
    });
  });
  return { pid, exited, signalGroup: (signal) => signalGroup(pid, signal) };
}

/** Signals the process group that `leader` leads or led; fine when nothing is left of it. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function collect(child: ChildProcess, name: string, ring: LogRing): void {
  const streams = [
    [child.stdout, '+'],
    [child.stderr, '-'],
  ] as const;
  for (const [stream, sign] of streams) {
    const split = lineSplitter((text) => ring.add(sign, name, text));
    stream?.on('data', split);
    stream?.on('end', () => split());
  }
}
