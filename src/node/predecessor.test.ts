import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { endPredecessor, forgetGroup, recordGroup } from './predecessor.ts';
import { signalGroup } from './spawn-unit.ts';

let directory: string;
const groups: number[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'groups-'));
});
afterEach(async () => {
  for (const group of groups.splice(0)) signalGroup(group, 'SIGKILL');
  await rm(directory, { recursive: true });
});

async function startGroup(command: string) {
  const child = spawn('sh', ['-c', `${command} & echo started; wait`], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  groups.push(child.pid!);
  await once(child.stdout, 'data');
  return { pid: child.pid!, ended: once(child, 'exit') };
}

it('a successor ends the groups that were written down, and forgets them', async () => {
  const first = await startGroup('sleep 1000');
  const second = await startGroup('sleep 1000');
  recordGroup(first.pid, directory);
  recordGroup(second.pid, directory);
  expect(await endPredecessor(directory)).toBe(2);
  await Promise.all([first.ended, second.ended]);
  expect(await readdir(directory)).toEqual([]);
});

it('a group that ignores SIGTERM is killed', async () => {
  const stubborn = await startGroup(`sh -c 'trap "" TERM; while :; do sleep 1000; done'`);
  recordGroup(stubborn.pid, directory);
  expect(await endPredecessor(directory)).toBe(1);
  await stubborn.ended;
});

it('a process that only has the number of a recorded group is left alone', async () => {
  const stranger = await startGroup('sleep 1000');
  await writeFile(join(directory, String(stranger.pid)), '1'); // another start time
  expect(await endPredecessor(directory)).toBe(0);
  process.kill(stranger.pid, 0);
});

it('groups that are gone, or files that name none, do no harm', async () => {
  const gone = await startGroup('true');
  await gone.ended;
  recordGroup(gone.pid, directory);
  await writeFile(join(directory, 'nonsense'), '');
  expect(await endPredecessor(directory)).toBe(0);
});

it('a group is forgotten when nothing of it is left, and not before', async () => {
  const group = await startGroup('sleep 1000');
  recordGroup(group.pid, directory);
  forgetGroup(group.pid, directory);
  expect(await readdir(directory)).toEqual([String(group.pid)]);
  signalGroup(group.pid, 'SIGKILL');
  await group.ended;
});
