import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Failure } from '../../base/errors.ts';

/** Where a server that takes over finds what its predecessor had open. */
export const inherited = { device: 4, state: 5, manifest: 6, openFiles: 7, requests: 8 } as const;

/** Set in the environment of a server that takes over. */
const marker = 'ZOSBUILDER_TAKE_OVER';

/** Milliseconds between looks at whether the keeper that started this process is still there. */
const parentWatchInterval = 500;

/**
 * Waits on descriptor 3 for the word that the mount has ended. The end of the file without it means that the server has
 * died: then it starts another, and the next one, until one ends well. Signals go on to the server of the moment.
 * A `read` or `wait` that a signal interrupts gives an error too, so the traps leave a note.
 */
const script = `
server=$PPID
trap 'noted=1; kill -TERM $server' TERM
trap 'noted=1; kill -USR2 $server' USR2
trap '' INT HUP
echo >&3
while noted=; ! read -r end <&3; do [ $noted ] || break; done
[ -z "$end" ] || exit 0
exec 3<&-
status=137
while [ $status -gt 128 ]; do
  "$@" & server=$!
  while noted=; wait $server; status=$?; [ $noted ]; do :; done
done`;

export interface KeeperOptions {
  /** The program and its arguments that take over: it finds the descriptors at `inherited`. Everybody sees these words. */
  readonly command: readonly string[];
  /** What it gets open. */
  readonly files: Readonly<Record<keyof typeof inherited, number>>;
}

/** Whether this process was started by a keeper, in place of a server that died. */
export function takesOver(): boolean {
  return process.env[marker] === '1';
}

/**
 * A process that keeps the FUSE device open while the servers of a mount come and go: a shell of one megabyte that starts
 * the next server when one dies. Its pid stays the same, and the flist is among its arguments.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #pid: number | undefined;
  #ready = Promise.resolve();
  #child: ChildProcess | undefined;
  #parentWatch: NodeJS.Timeout | undefined;
  #ended = false;

  private constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /**
   * Starts the keeper of this process; in a server that took over, goes on with the one that started it.
   * @throws Failure `missing-tool` when there is no shell.
   */
  static async start(options: KeeperOptions): Promise<Keeper> {
    const keeper = Keeper.begin(options);
    await keeper.ready;
    return keeper;
  }

  /** As `start`, without waiting for it. Rejections of `ready` are to be handled. */
  static begin(options: KeeperOptions): Keeper {
    const keeper = new Keeper(options);
    if (takesOver()) keeper.#goOnWithParent();
    else keeper.#ready = keeper.#start();
    return keeper;
  }

  /** Settles when it keeps the device. @throws Failure `missing-tool` when there is no shell. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Undefined when it could not be started. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** The mount has ended: nobody shall take over. A keeper that started this process ends with it, when it ends well. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#parentWatch);
    if (this.#child !== undefined) lifeline(this.#child).end('ended\n');
  }

  /** Settles when the keeper understands signals. */
  async #start(): Promise<void> {
    const { command, files } = this.#options;
    const child = spawn('sh', ['-c', script, 'sh', ...command], {
      cwd: '/',
      detached: true, // the Ctrl-C of a terminal is for the server alone
      env: { ...process.env, [marker]: '1' },
      stdio: [
        'ignore',
        'inherit',
        'inherit',
        'pipe',
        files.device,
        files.state,
        files.manifest,
        files.openFiles,
        files.requests,
      ],
    });
    this.#pid = child.pid;
    const line = lifeline(child).on('error', () => {}); // of a keeper that is killed
    try {
      await Promise.race([once(line, 'data'), once(child, 'exit')]);
    } catch (cause) {
      throw new Failure('missing-tool', 'cannot start sh, the keeper of the mount', {
        cause,
        hint: "a POSIX shell has to be in PATH: Debian's dash, or busybox",
      });
    }
    child.on('exit', () => this.#replace());
    child.unref();
    line.unref();
    this.#child = child;
    if (this.#ended) this.end();
  }

  #goOnWithParent(): void {
    this.#pid = process.ppid;
    this.#parentWatch = setInterval(() => {
      if (process.ppid === this.#pid) return;
      clearInterval(this.#parentWatch);
      this.#replace();
    }, parentWatchInterval).unref();
  }

  /** A keeper that was killed is followed by another. Without one the mount goes on, as long as this process does. */
  #replace(): void {
    if (!this.#ended) this.#start().catch(() => {});
  }
}

function lifeline(child: ChildProcess): Socket {
  return child.stdio[3] as Socket;
}
