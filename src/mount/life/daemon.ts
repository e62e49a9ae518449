import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { describeError, Failure, type FailureKind } from '../../base/errors.ts';

/** Set in the environment of a process that was started by `startDaemon`. */
const marker = 'ZOSBUILDER_DAEMON';

/** What a daemon tells the process that started it. */
type Outcome =
  | { readonly started: true }
  | { readonly started: false; readonly kind: FailureKind; readonly message: string; readonly hint?: string };

export interface DaemonOptions {
  /** The arguments of the daemon. Every user of the machine sees them. */
  readonly arguments: readonly string[];
  /** What only the daemon shall see; it gets it by `handedOver`. */
  readonly handover: unknown;
  /** Receives standard output and standard error, emptied first; both are dropped without it. */
  readonly log?: string;
}

/** Whether this process is the daemon, and not the one that starts it. */
export function isDaemon(): boolean {
  return process.env[marker] === '1' && process.send !== undefined;
}

/**
 * Starts this same program once more as a process of its own, without a terminal, and waits until it says, by
 * `startAsDaemon`, that it is up.
 * @returns the pid of the daemon
 * @throws Failure with the daemon's own reason when it does not come up.
 */
export async function startDaemon(options: DaemonOptions): Promise<number> {
  const log = options.log === undefined ? undefined : await open(options.log, 'w', 0o644);
  try {
    return await spawnDaemon(options, log?.fd ?? 'ignore');
  } finally {
    await log?.close();
  }
}

function spawnDaemon(options: DaemonOptions, output: number | 'ignore'): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...options.arguments], {
    detached: true,
    env: { ...process.env, [marker]: '1' },
    stdio: ['ignore', output, output, 'ipc'],
  });
  child.once('error', (cause) => reject(new Failure('failed', 'cannot start the daemon', { cause })));
  let failure: Failure | undefined;
  child.once('exit', (code, signal) =>
    reject(
      failure ?? new Failure('failed', `the daemon ended with ${signal ?? `code ${code}`} before it was up`),
    ),
  );
  child.send({ handover: options.handover }, () => {}); // one that could not start says so by its exit
  child.once('message', (outcome: Outcome) => {
    child.disconnect();
    if (outcome.started) {
      child.unref();
      resolve(child.pid!);
      return;
    }
    const { kind, message, hint } = outcome; // told when the daemon has ended, and its log is whole
    failure = new Failure(kind, message, hint === undefined ? {} : { hint });
  });
  return promise;
}

/** In a daemon: what the process that started it handed over. */
export async function handedOver<Value>(): Promise<Value> {
  const [{ handover }] = (await once(process, 'message')) as [{ handover: Value }];
  return handover;
}

/** In a daemon: does what brings it up, and tells the process that started it how that went. Elsewhere: just does it. */
export async function startAsDaemon<Result>(bringUp: () => Promise<Result>): Promise<Result> {
  if (!isDaemon()) return bringUp();
  try {
    const result = await bringUp();
    await tell({ started: true });
    return result;
  } catch (error) {
    const failure = error instanceof Failure ? error : undefined;
    await tell({
      started: false,
      kind: failure?.kind ?? 'failed',
      message: describeError(error),
      ...(failure?.hint !== undefined && { hint: failure.hint }),
    });
    throw error;
  } finally {
    process.channel?.unref();
  }
}

/** A starter that is gone by now needs no news. */
function tell(outcome: Outcome): Promise<void> {
  return new Promise((resolve) => {
    process.send!(outcome, () => resolve());
  });
}
