import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../base/errors.ts';
import { paths } from './paths.ts';
import { signalGroup } from './spawn-unit.ts';

/*
 * A supervisor that dies leaves its services running, and its successor cannot wait for processes that are not its
 * children. So it does not adopt them: it ends every process group that its predecessor wrote down and starts anew.
 */

/** Milliseconds that the groups of a predecessor have to end themselves, and then to vanish. */
const grace = 2000;

/** Writes down that a process group is ours: its leader, and when that started, by which a reused id is told apart. */
export function recordGroup(leader: number, directory: string = paths.services): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, String(leader)), startTime(leader) ?? '');
}

/** Forgets a group if nothing of it is left. */
export function forgetGroup(leader: number, directory: string = paths.services): void {
  if (!groupExists(leader)) rmSync(join(directory, String(leader)), { force: true });
}

/**
 * Ends the groups that an earlier supervisor wrote down.
 * @returns how many there were
 */
export async function endPredecessor(directory: string = paths.services): Promise<number> {
  mkdirSync(directory, { recursive: true });
  const recorded = readdirSync(directory)
    .map(Number)
    .filter((leader) => leader > 1); // 0 and 1 would mean this group and every process (kill(2))
  const groups = recorded.filter((leader) => isRecorded(leader, directory) && groupExists(leader));
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const leader of groups) signalGroup(leader, signal);
    for (let waited = 0; waited < grace && groups.some(groupExists); waited += 50) await sleep(50);
  }
  for (const leader of recorded) rmSync(join(directory, String(leader)), { force: true });
  return groups.length;
}

/** A leader that is gone cannot have been replaced: the kernel gives no process the id of a group that exists. */
function isRecorded(leader: number, directory: string): boolean {
  const now = startTime(leader);
  return now === undefined || now === readFileSync(join(directory, String(leader)), 'utf8');
}

function groupExists(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** Field 22 of `/proc/PID/stat`: clock ticks after boot (proc(5)); undefined when there is no such process. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch (error) {
    if (errnoOf(error) !== undefined) return undefined;
    throw error;
  }
}
