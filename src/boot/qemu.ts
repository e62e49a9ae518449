import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, Failure } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { LineAssembler } from './console.ts';
import { shellLine } from './machine.ts';
import type { BootEvent, BootWatch } from './watch.ts';

/** How long a guest may take, in milliseconds. */
export interface GuestLimits {
  /** From its start to its end. */
  readonly overall: number;
  /** From one milestone to the next. */
  readonly milestone: number;
  /** Without a byte on the console. */
  readonly idle: number;
}

/** For TCG: a boot of 20 seconds takes 100 on two cores with three times as much to do. */
export const defaultLimits: GuestLimits = { overall: 300_000, milestone: 120_000, idle: 120_000 };

/** How a guest came to its end: by itself, stopped after its last word, or stopped because a limit was reached. */
export type GuestEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'timeout'; readonly limit: keyof GuestLimits };

export interface GuestRun {
  readonly end: GuestEnd;
  /** Milliseconds from the start of the emulator to its end. */
  readonly duration: number;
  /** The last lines that the emulator itself printed. */
  readonly emulatorLines: readonly string[];
}

export interface GuestOptions {
  /** The emulator and its arguments; its standard output is the guest's console. */
  readonly command: readonly string[];
  /** The file that gets the command, and every byte of the console and of the emulator's own output as it comes. */
  readonly log: string;
  readonly watch: BootWatch;
  readonly limits: GuestLimits;
  /** How many milliseconds more the guest may run after an event before it is stopped; undefined: to its end. */
  readonly farewell: (event: BootEvent) => number | undefined;
  readonly onEvent?: (event: BootEvent) => void;
}

const oldestQemu = [5, 2] as const;
const killGrace = 2_000;
const keptEmulatorLines = 20;

/**
 * The version of an installed QEMU, such as `7.2.22`.
 * @throws Failure `missing-tool` when there is none, or one older than 5.2
 */
export async function qemuVersion(program = 'qemu-system-x86_64'): Promise<string> {
  const { stdout } = await run(program, ['--version'], { package: 'qemu-system-x86' });
  const [version, major, minor] = /version (\d+)\.(\d+)(?:\.\d+)*/.exec(stdout.toString()) ?? [];
  const order = Number(major) - oldestQemu[0] || Number(minor) - oldestQemu[1];
  if (version === undefined || !(order >= 0)) {
    const found = version?.slice('version '.length) ?? 'of unknown version';
    throw new Failure('missing-tool', `${program} ${found} cannot boot a node`, {
      hint: `QEMU ${oldestQemu.join('.')} or newer is needed: apt-get install qemu-system-x86`,
    });
  }
  return version.slice('version '.length);
}

/**
 * Runs a guest until it ends, says its last word, or reaches a limit; in every case the emulator is gone when this returns.
 * It also dies with this process, however that ends, because the kernel kills it then (prctl(2), PR_SET_PDEATHSIG).
 * @throws Failure `missing-tool` when there is no setpriv to ask the kernel for that
 */
export async function runGuest(options: GuestOptions): Promise<GuestRun> {
  mkdirSync(dirname(options.log), { recursive: true });
  const log = openSync(options.log, 'w');
  try {
    writeSync(log, `$ ${shellLine(options.command)}\n`);
    return await new Guest(options, log).run();
  } finally {
    closeSync(log);
  }
}

class Guest {
  readonly #options: GuestOptions;
  readonly #log: number;
  readonly #child: ChildProcess;
  readonly #started = performance.now();
  readonly #emulatorLines: string[] = [];
  readonly #limitTimers: ReadonlyMap<keyof GuestLimits, NodeJS.Timeout>;
  #farewellTimer: NodeJS.Timeout | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  /** Why this side ended the guest, once it has. */
  #stopped: Exclude<GuestEnd, { kind: 'exited' }> | undefined;

  constructor(options: GuestOptions, log: number) {
    this.#options = options;
    this.#log = log;
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...options.command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const names = ['overall', 'milestone', 'idle'] as const;
    this.#limitTimers = new Map(
      names.map((limit) => [
        limit,
        setTimeout(() => this.#stop({ kind: 'timeout', limit }), options.limits[limit]),
      ]),
    );
  }

  async run(): Promise<GuestRun> {
    const { watch } = this.#options;
    this.#readLines(this.#child.stdout!, (line, at) => watch.feed(line, at));
    this.#readLines(this.#child.stderr!, (line, at) => {
      this.#emulatorLines.push(line);
      if (this.#emulatorLines.length > keptEmulatorLines) this.#emulatorLines.shift();
      return watch.feedEmulator(line, at);
    });
    try {
      const [code, signal] = (await once(this.#child, 'close')) as [number | null, NodeJS.Signals | null];
      const end = this.#stopped ?? { kind: 'exited', code, signal };
      return { end, duration: this.#elapsed(), emulatorLines: this.#emulatorLines };
    } catch (error) {
      throw new Failure(errnoOf(error) === 'ENOENT' ? 'missing-tool' : 'failed', 'cannot run setpriv', {
        cause: error,
        hint: 'install it: apt-get install util-linux',
      });
    } finally {
      for (const timer of this.#limitTimers.values()) clearTimeout(timer);
      clearTimeout(this.#farewellTimer);
      clearTimeout(this.#killTimer);
    }
  }

  #readLines(stream: NodeJS.ReadableStream, feed: (line: string, at: number) => BootEvent[]): void {
    const assembler = new LineAssembler();
    const take = (lines: string[]) => {
      for (const line of lines) for (const event of feed(line, this.#elapsed())) this.#tell(event);
    };
    stream.on('data', (chunk: Buffer) => {
      writeSync(this.#log, chunk);
      this.#limitTimers.get('idle')!.refresh();
      take(assembler.push(chunk));
    });
    stream.on('end', () => take(assembler.end()));
  }

  #tell(event: BootEvent): void {
    if (event.kind === 'reached') this.#limitTimers.get('milestone')!.refresh();
    this.#options.onEvent?.(event);
    const farewell = this.#options.farewell(event);
    if (farewell === undefined) return;
    clearTimeout(this.#farewellTimer);
    this.#farewellTimer = setTimeout(() => this.#stop({ kind: 'stopped' }), farewell);
  }

  #stop(why: Exclude<GuestEnd, { kind: 'exited' }>): void {
    if (this.#stopped) return;
    this.#stopped = why;
    this.#child.kill('SIGTERM');
    this.#killTimer = setTimeout(() => this.#child.kill('SIGKILL'), killGrace);
  }

  #elapsed(): number {
    return performance.now() - this.#started;
  }
}
