import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { fakeQemu, isAlive, temporaryDirectory } from './fake-qemu.fixture.ts';
import { type GuestLimits, type GuestRun, qemuVersion, runGuest } from './qemu.ts';
import { scenarios } from './scenarios/all.ts';
import { transcript } from './transcripts.fixture.ts';
import { type BootEvent, BootWatch } from './watch.ts';

const patient: GuestLimits = { overall: 50_000, milestone: 50_000, idle: 50_000 };

interface Attempt {
  readonly limits?: Partial<GuestLimits>;
  readonly farewell?: (event: BootEvent) => number | undefined;
}

async function runFake(body: string, attempt: Attempt = {}) {
  const directory = temporaryDirectory();
  return runCommand([fakeQemu(directory, body), '-a', 'b c'], directory, attempt);
}

async function runCommand(command: string[], directory: string, { limits, farewell }: Attempt) {
  const watch = new BootWatch();
  const log = join(directory, 'logs', 'guest.log');
  const run: GuestRun = await runGuest({
    command,
    log,
    watch,
    limits: { ...patient, ...limits },
    farewell: farewell ?? (() => undefined),
  });
  return { run, watch, log: readFileSync(log), command };
}

describe('a guest', () => {
  it('that powers itself off is followed to its end', async () => {
    const recorded = join(import.meta.dirname, 'transcripts', 'ready.txt');
    const { run, watch, log, command } = await runFake(`cat ${recorded}`);
    expect(run.end).toEqual({ kind: 'exited', code: 0, signal: null });
    expect(watch.hasReached('ready')).toBe(true);
    expect(log.toString('latin1')).toBe(
      `$ ${command[0]} -a 'b c'\n${transcript('ready').toString('latin1')}`,
    );
  });

  it('that cannot start leaves what the emulator said', async () => {
    const { run, log } = await runFake(`echo 'qemu: could not load kernel' >&2; exit 1`);
    expect(run.end).toEqual({ kind: 'exited', code: 1, signal: null });
    expect(run.emulatorLines).toEqual(['qemu: could not load kernel']);
    expect(log.toString()).toContain('could not load kernel');
  });

  it.each(['overall', 'milestone', 'idle'] as const)('that hangs ends at the limit %s', async (limit) => {
    const { run } = await runFake('echo $$; echo zos: reached init; exec sleep 1000', {
      limits: { [limit]: 300 },
    });
    expect(run.end).toEqual({ kind: 'timeout', limit });
  });

  it('that keeps talking without getting on ends at the limit of a milestone', async () => {
    const { run } = await runFake('while :; do echo again; done', { limits: { milestone: 300 } });
    expect(run.end).toEqual({ kind: 'timeout', limit: 'milestone' });
  });

  it('that ignores SIGTERM is killed', async () => {
    const { run, log } = await runFake(`trap '' TERM; echo $$; exec sleep 1000`, { limits: { idle: 300 } });
    expect(run.end).toEqual({ kind: 'timeout', limit: 'idle' });
    expect(isAlive(Number(log.toString().split('\n')[1]))).toBe(false);
  });

  it('has time for a last word after an event, and is then stopped', async () => {
    const { run, watch } = await runFake('echo zos: reached init; echo zos: note bye; exec sleep 1000', {
      farewell: ({ kind }) => (kind === 'reached' ? 200 : undefined),
    });
    expect(run.end).toEqual({ kind: 'stopped' });
    expect(watch.notes).toEqual(['bye']);
  });

  it('dies with the process that runs it, even when that is killed', async () => {
    const directory = temporaryDirectory();
    const program = fakeQemu(
      directory,
      `echo $$ >${directory}/pid.new; mv ${directory}/pid.new ${directory}/pid; exec sleep 1000`,
    );
    const fixture = join(import.meta.dirname, 'run-guest.fixture.ts');
    const parent = spawn(process.execPath, [fixture, program, directory], { stdio: 'ignore' });
    await vi.waitUntil(() => existsSync(join(directory, 'pid')), { timeout: 30_000 });
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitUntil(() => !isAlive(pid), { timeout: 30_000 });
  });
});

describe('QEMU itself', () => {
  const bareMachine = [
    'qemu-system-x86_64',
    '-nodefaults',
    '-nographic',
    '-no-reboot',
    '-accel',
    'tcg',
  ].concat(['-machine', 'q35', '-m', '64', '-serial', 'stdio']);
  const stopWhenFatal = ({ kind }: BootEvent) => (kind === 'fatal' ? 0 : undefined);

  it('with nothing to boot says so on the console', async () => {
    const { run, watch } = await runCommand(bareMachine, temporaryDirectory(), { farewell: stopWhenFatal });
    expect(run.end).toEqual({ kind: 'stopped' });
    expect(watch.hasReached('firmware')).toBe(true);
    expect(watch.fatal?.name).toBe('nothing-to-boot');
  });

  it.each(scenarios)('has every device of the scenario $name', async ({ devices }) => {
    const command = [...bareMachine, ...devices.flat()];
    const { run, watch } = await runCommand(command, temporaryDirectory(), { farewell: stopWhenFatal });
    expect(run.emulatorLines.filter((line) => !line.includes('terminating on signal'))).toEqual([]);
    expect(watch.fatal?.name).toBe('nothing-to-boot');
  });
});

describe('the version of QEMU', () => {
  it('is that of the installed program', async () => {
    expect(await qemuVersion()).toMatch(/^\d+\.\d+/);
  });

  it('must be new enough', async () => {
    const program = fakeQemu(temporaryDirectory(), '', '4.2.1');
    await expect(qemuVersion(program)).rejects.toMatchObject({
      kind: 'missing-tool',
      message: expect.stringContaining('4.2.1'),
      hint: expect.stringContaining('5.2'),
    });
    expect(await qemuVersion(fakeQemu(temporaryDirectory(), '', '10.0.2'))).toBe('10.0.2');
  });

  it('is missing where there is no QEMU', async () => {
    await expect(qemuVersion('/nonexistent/qemu-system-x86_64')).rejects.toMatchObject({
      kind: 'missing-tool',
      hint: 'install it: apt-get install qemu-system-x86',
    });
  });
});
