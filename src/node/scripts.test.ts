import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, readFileSync, statSync } from 'node:fs';
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

describe('wait-for.sh', () => {
  const waitFor = (...command: string[]) =>
    spawnSync('busybox', ['sh', join(config, 'zinit/init/wait-for.sh'), ...command]).status;

  it('succeeds with the command, also when that fails at first', () => {
    expect(waitFor('true')).toBe(0);
    expect(waitFor('sh', '-c', 'test -e "$0" || { : > "$0"; exit 1; }', `/tmp/wait-for-${process.pid}`)).toBe(
      0,
    );
    execFileSync('rm', [`/tmp/wait-for-${process.pid}`]);
  });
});

describe('the kernel parameter of the scripts', () => {
  const functions = readFileSync(join(config, 'zinit/init/functions.sh'), 'utf8');
  const parameter = (cmdline: string, name: string, bare = '') => {
    const script = `${functions.replace('/proc/cmdline', '-')}\nparameter "$1" "$2"`;
    return spawnSync('busybox', ['sh', '-c', script, 'sh', name, bare], { input: cmdline });
  };

  it('is found by its whole name, with its value', () => {
    const found = parameter('console=ttyS0 zos.poweroff=60 zos.x\n', 'zos.poweroff');
    expect([found.status, found.stdout.toString()]).toEqual([0, '60\n']);
    expect(parameter('a zos.poweroff b', 'zos.poweroff', '600').stdout.toString()).toBe('600\n');
    expect(parameter('zos.poweroffs not.zos.poweroff', 'zos.poweroff').status).toBe(1);
  });
});
