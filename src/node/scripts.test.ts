import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConsoleLine } from './console.ts';

const config = join(import.meta.dirname, '../../config');
const scripts = ['init', ...globSync('zinit/init/*.sh', { cwd: config })];

describe.each(scripts)('%s', (script) => {
  const text = readFileSync(join(config, script), 'utf8');

  it('is shell that busybox reads', () => {
    execFileSync('busybox', ['sh', '-n', join(config, script)]);
  });

  it('says only milestones that the boot driver knows', () => {
    for (const [, milestone] of text.matchAll(/\bsay "reached ([a-z0-9-]+)/g))
      expect(parseConsoleLine(`zos: reached ${milestone}`)).toBeDefined();
  });

  it('names only scripts that are there', () => {
    for (const [, name] of text.matchAll(/\/etc\/(zinit\/init\/[\w.-]+)/g))
      expect(() => statSync(join(config, name!))).not.toThrow();
  });
});

it('what udhcpc and the kernel start by itself is executable', () => {
  for (const script of ['init', 'zinit/init/dhcp.sh']) {
    expect(readFileSync(join(config, script), 'utf8')).toMatch(/^#!\/bin\/sh\n/);
    expect(statSync(join(config, script)).mode & 0o111).toBe(0o111);
  }
});

/** Runs shell text of the node with other places for what it reads and writes. */
function runShell(
  text: string,
  args: readonly string[],
  places: Readonly<Record<string, string>>,
  input = '',
) {
  let moved = text;
  for (const [from, to] of Object.entries(places)) moved = moved.replaceAll(from, to);
  const { status, stdout } = spawnSync('busybox', ['sh', '-c', moved, 'sh', ...args], { input });
  return { status, output: stdout.toString() };
}

const initDirectory = join(config, 'zinit/init');
const functions = readFileSync(join(initDirectory, 'functions.sh'), 'utf8');

it('wait-for.sh succeeds with its command, also when that fails at first', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'wait-'));
  const waitFor = readFileSync(join(initDirectory, 'wait-for.sh'), 'utf8');
  const places = { '/etc/zinit/init': initDirectory };
  try {
    expect(runShell(waitFor, ['true'], places).status).toBe(0);
    const secondTime = ['sh', '-c', 'test -e "$0" || { : >"$0"; exit 1; }', join(directory, 'mark')];
    expect(runShell(waitFor, secondTime, places).status).toBe(0);
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('a daemon has settled when it said so and still runs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'settled-'));
  const places = { '/run/zos': directory };
  const settled = () => runShell(`${functions}\nsettled network`, [], places).status;
  const settle = (pid: number) => runShell(`${functions}\nunit_pid=${pid}\nsettle network`, [], places);
  try {
    expect(settled()).toBe(1);
    settle(process.pid);
    expect(settled()).toBe(0);
    settle(spawnSync('true').pid);
    expect(settled()).toBe(1);
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('a kernel parameter is found by its whole name, with its value', () => {
  const parameter = (cmdline: string, ...args: string[]) =>
    runShell(`${functions}\nparameter "$@"`, args, { '/proc/cmdline': '-' }, cmdline);
  expect(parameter('console=ttyS0 zos.poweroff=60 zos.x\n', 'zos.poweroff', '600')).toEqual({
    status: 0,
    output: '60\n',
  });
  expect(parameter('a zos.poweroff b', 'zos.poweroff', '600').output).toBe('600\n');
  expect(parameter('zos.poweroffs not.zos.poweroff', 'zos.poweroff').status).toBe(1);
});
