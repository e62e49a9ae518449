import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { LogRing } from './log-ring.ts';
import type { Child } from './service.ts';
import { signalGroup, spawnUnit } from './spawn-unit.ts';
import { unitOf } from './test-host.ts';
import type { Unit } from './units.ts';

const children: Child[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.signalGroup('SIGKILL');
});

async function start(command: string, settings: Partial<Unit> = {}, part: 'exec' | 'test' = 'exec') {
  const ring = new LogRing();
  const unit = unitOf('x', { exec: ['sh', '-c', command], test: ['sh', '-c', command], ...settings });
  const child = await spawnUnit(
    unit,
    part,
    { PATH: process.env['PATH'], GREETING: 'hello', KEPT: 'yes' },
    ring,
  );
  children.push(child);
  return { child, ring };
}

describe('a unit that is started', () => {
  it('tells how it ended', async () => {
    expect(await (await start('exit 7')).child.exited).toEqual({ code: 7 });
    expect(await (await start('kill -KILL $$')).child.exited).toEqual({ signal: 'SIGKILL' });
  });

  it('has its output in the ring, under the name of the unit or of its test', async () => {
    const command = 'echo out; echo err >&2';
    const { child, ring } = await start(command);
    await child.exited;
    expect([...ring.lines()].sort()).toEqual(['[+] x: out', '[-] x: err']);
    const test = await start(command, {}, 'test');
    await test.child.exited;
    expect([...test.ring.lines()].sort()).toEqual(['[+] x/test: out', '[-] x/test: err']);
  });

  it('has nothing in the ring when its log is none', async () => {
    const { child, ring } = await start('echo out', { log: 'none' });
    await child.exited;
    expect(ring.lines()).toEqual([]);
  });

  it('runs in its directory, with the environment of the node under its own', async () => {
    const { child, ring } = await start('pwd; echo $GREETING $KEPT', {
      directory: '/usr',
      env: { GREETING: 'good morning' },
    });
    await child.exited;
    expect(ring.lines()).toEqual(['[+] x: /usr', '[+] x: good morning yes']);
  });

  it('leads a process group that is signalled whole', async () => {
    const { child, ring } = await start('sleep 1000 & echo $!; wait');
    while (ring.lines().length === 0) await sleep(5);
    const grandchild = Number(ring.lastLine('x'));
    expect(() => process.kill(grandchild, 0)).not.toThrow();
    child.signalGroup('SIGTERM');
    await child.exited;
    while (isAlive(grandchild)) await sleep(5);
  });

  it('does not wait for the output of what it leaves behind', async () => {
    const { child } = await start('sleep 1000 &');
    expect(await child.exited).toEqual({ code: 0 });
  });
});

it('a unit whose program or directory is missing fails with both named', async () => {
  const ring = new LogRing();
  await expect(spawnUnit(unitOf('x', { exec: ['/no/such'] }), 'exec', {}, ring)).rejects.toThrow(
    'cannot start /no/such in /',
  );
  await expect(
    spawnUnit(unitOf('x', { exec: ['/bin/true'], directory: '/nowhere' }), 'exec', {}, ring),
  ).rejects.toThrow('cannot start /bin/true in /nowhere');
});

it('signalling a group of which nothing is left is fine', async () => {
  const { child } = await start('true');
  await child.exited;
  signalGroup(child.pid, 'SIGTERM');
});

/** A zombie that its new parent has not reaped counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
