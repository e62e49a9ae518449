/** For tests with the kernel of this machine: a mount that a process of `serve.fixture.ts` serves, and always comes off again. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { openDevice } from './device.ts';
import { mountDevice, unmount } from './mount-point.ts';
import type { NegotiatedSession } from './negotiate.ts';
import type { OpenAnswer } from './reply.ts';
import type { FixtureLine, FixtureOptions, RequestLine } from './serve.fixture.ts';

/** Fails a test file at once, with the reason, on a machine where nothing can be mounted. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new Error('these tests need root and /dev/fuse: they mount');
}

export interface Surroundings {
  /** The descriptor of a file for the table of open files, or the log of requests. */
  readonly table?: number;
  /** The program that serves, where it is not that of this room. */
  readonly program?: string;
}

/** A process that serves. */
export class FixtureServer {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly #lines: FixtureLine[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(device: number, options: FixtureOptions, { table, program = fixture }: Surroundings) {
    this.process = spawn(process.execPath, [program, JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit', device, ...(table === undefined ? [] : [table])],
    });
    this.ended = once(this.process, 'exit');
    createInterface({ input: this.process.stdout! }).on('line', (text) => {
      this.#lines.push(JSON.parse(text) as FixtureLine);
      for (const wake of this.#waiting) wake();
    });
  }

  /** Waits for a request, which may have come already. */
  request(kind: string): Promise<RequestLine> {
    return this.#line((line): line is RequestLine => 'request' in line && line.request === kind);
  }

  /** Waits until that name is looked for. */
  async lookup(name: string): Promise<void> {
    await this.#line((line): line is RequestLine => 'name' in line && line.name === name);
  }

  /** Waits until nobody has a file open any more that was opened in this mode. */
  async released(mode: OpenAnswer['mode']): Promise<void> {
    await this.#line(
      (line): line is { released: OpenAnswer } => 'released' in line && line.released.mode === mode,
    );
  }

  async #line<Line extends FixtureLine>(matches: (line: FixtureLine) => line is Line): Promise<Line> {
    for (;;) {
      const found = this.#lines.find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((wake) => {
        const once = () => {
          this.#waiting.delete(once);
          wake();
        };
        this.#waiting.add(once);
      });
    }
  }

  async started(): Promise<NegotiatedSession> {
    return (await this.#line((line) => 'started' in line)).started;
  }

  /** How many requests of each kind were printed, without those that are of the mount and the test. */
  get printed(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const line of this.#lines)
      if ('request' in line && !uninteresting.has(line.request) && !line.name?.startsWith(marker))
        counts[line.request] = (counts[line.request] ?? 0) + 1;
    return counts;
  }

  get errors(): string[] {
    return this.#lines.flatMap((line) => ('error' in line ? [line.error] : []));
  }
}

/** Names that nobody but the test looks for. */
const marker = 'marker-';
let markers = 0;

const fixture = join(import.meta.dirname, 'serve.fixture.ts');

const uninteresting = new Set(['init', 'forget', 'getattr', 'destroy', 'statfs']);

export interface FixtureMount {
  readonly mountpoint: string;
  readonly data: string;
  readonly device: number;
  readonly server: FixtureServer;
  /** How many requests of each kind the server that runs now got so far. */
  readonly requests: () => Promise<Readonly<Record<string, number>>>;
  /** How many requests of a kind it got. */
  readonly count: (kind: string) => Promise<number>;
  /** Starts another server on the same device. */
  readonly serveAgain: (options: FixtureOptions) => FixtureServer;
}

/** Mounts for the time of a test. */
export async function mountFixture(
  options: FixtureOptions = {},
  surroundings: Surroundings = {},
): Promise<FixtureMount> {
  const mountpoint = await mkdtemp(join(tmpdir(), 'fuse-test-'));
  const device = openDevice();
  const servers: FixtureServer[] = [];
  const serve = (options: FixtureOptions) => {
    const server = new FixtureServer(device, options, surroundings);
    servers.push(server);
    return server;
  };
  onTestFinished(async () => {
    closeSync(device);
    await unmount(mountpoint);
    for (const server of servers) server.process.kill('SIGKILL'); // a reader may still wait for its answer
    await Promise.all(servers.map(({ ended }) => ended));
    await rmdir(mountpoint);
  });
  const server = serve(options);
  await mountDevice(device, { mountpoint, source: 'test', subtype: 'test', options: ['ro', 'allow_other'] });
  await server.started();
  const requests = async () => {
    // What came before this name was looked for is printed before it.
    const name = `${marker}${markers++}`;
    await sh('! stat $1 2>/dev/null', join(mountpoint, name));
    await servers.at(-1)!.lookup(name);
    return servers.at(-1)!.printed;
  };
  const count = async (kind: string) => (await requests())[kind] ?? 0;
  return { mountpoint, data: join(mountpoint, 'data'), device, server, requests, count, serveAgain: serve };
}

const shell = promisify(execFile);

/** Runs a shell script in another process, as every user of a mount must be, and returns what it prints. */
export async function sh(script: string, ...args: string[]): Promise<string> {
  return (await shell('sh', ['-euc', script, 'sh', ...args], { timeout: 30_000 })).stdout;
}
