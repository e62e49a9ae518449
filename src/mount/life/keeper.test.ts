import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { testDirectory } from '../../store/test-directory.ts';

const keeperModule = JSON.stringify(join(import.meta.dirname, 'keeper.ts'));
const stateModule = JSON.stringify(join(import.meta.dirname, 'mount-state.ts'));

/** A server that serves nothing: says who it is and what its predecessor wrote, and does what its standard input says. */
const server = `
import { openSync } from 'node:fs';
const { Keeper, inherited, takesOver } = await import(${keeperModule});
const { createStateFile, readState, writeState } = await import(${stateModule});
const state = takesOver() ? inherited.state : createStateFile();
const other = takesOver() ? inherited.device : openSync('/dev/null');
const before = takesOver() ? readState(state) : undefined;
const servers = [...(before?.handover ?? []), process.pid];
writeState(state, { mountpoint: '/mnt', source: '1', mounted: 0, session: {}, takeOvers: [], handover: servers });
const keeper = await Keeper.start({ command: [process.execPath, import.meta.filename, '--meta', 'x.fl'], files: { device: other, state, manifest: other, openFiles: other, requests: other } });
const say = () => process.stdout.write(JSON.stringify({ servers, keeper: keeper.pid }) + '\\n');
process.on('SIGUSR2', say);
process.on('SIGTERM', () => { keeper.end(); clearInterval(life); process.exitCode = 0; });
const life = setInterval(() => {}, 1000);
say();
`;

interface Said {
  readonly servers: readonly number[];
  readonly keeper: number;
}

/** Starts a server with a keeper. All that is left of them ends with the test. */
async function startServer() {
  const file = join(await testDirectory(), 'server.ts');
  await writeFile(file, server);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const seen = new Set<number>();
  onTestFinished(() => {
    for (const pid of seen) killIfThere(pid);
  });
  const next = async (): Promise<Said> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('no server says anything any more');
    const said = JSON.parse(value) as Said;
    for (const pid of [said.keeper, ...said.servers]) seen.add(pid);
    return said;
  };
  const silence = async () => expect((await lines.next()).done).toBe(true);
  return { child, next, silence };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {} // it is gone
}

const ended = async (child: ChildProcess) => (await once(child, 'exit')) as [number | null, string | null];

test('when a server is killed another takes over with its state, again and again, and the keeper stays', async () => {
  const { next } = await startServer();
  const first = await next();
  process.kill(first.servers[0]!, 'SIGKILL');
  const second = await next();
  expect(second.servers).toEqual([first.servers[0], expect.any(Number)]);
  process.kill(second.servers[1]!, 'SIGKILL');
  const third = await next();
  expect(third.servers.slice(0, 2)).toEqual(second.servers);
  expect([second.keeper, third.keeper]).toEqual([first.keeper, first.keeper]);
});

test('a signal to the keeper reaches the server of the moment, and a server that ends well ends all', async () => {
  const { next, silence } = await startServer();
  const { keeper, servers } = await next();
  process.kill(keeper, 'SIGUSR2');
  expect((await next()).servers).toEqual(servers);
  process.kill(servers[0]!, 'SIGKILL');
  const second = await next();
  process.kill(keeper, 'SIGUSR2');
  expect(await next()).toEqual(second);
  process.kill(keeper, 'SIGTERM');
  await silence();
});

test('a first server that ends well tells its keeper to end', async () => {
  const { child, next, silence } = await startServer();
  await next();
  child.kill('SIGTERM');
  expect(await ended(child)).toEqual([0, null]);
  await silence();
});

test('a keeper that is killed is replaced, by a server of any generation', async () => {
  const { next } = await startServer();
  const first = await next();
  process.kill(first.keeper, 'SIGKILL');
  const replaced = await until(next, first.servers.at(-1)!, (said) => said.keeper !== first.keeper);
  process.kill(first.servers[0]!, 'SIGKILL');
  const second = await next();
  expect(second.keeper).toBe(replaced.keeper);
  process.kill(second.keeper, 'SIGKILL');
  const again = await until(next, second.servers.at(-1)!, (said) => said.keeper !== second.keeper);
  process.kill(second.servers[1]!, 'SIGKILL');
  const third = await next();
  expect([third.servers.length, third.keeper]).toEqual([3, again.keeper]);
});

/** Asks a server until it answers so. */
async function until(next: () => Promise<Said>, pid: number, good: (said: Said) => boolean): Promise<Said> {
  for (;;) {
    process.kill(pid, 'SIGUSR2');
    const said = await next();
    if (good(said)) return said;
  }
}
