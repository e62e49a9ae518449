import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTextIfPresent } from '../base/files.ts';
import { announce } from './announce.ts';
import { parseKeyValues } from './key-values.ts';
import { LogRing } from './log-ring.ts';
import { paths } from './paths.ts';
import { endPredecessor, forgetGroup, recordGroup } from './predecessor.ts';
import type { Service } from './service.ts';
import { spawnUnit } from './spawn-unit.ts';
import { writeStatus } from './status.ts';
import { Supervisor } from './supervisor.ts';
import { readUnitDirectory } from './unit-directory.ts';
import { formatUnitProblem, type Unit } from './units.ts';

/**
 * Is the supervisor of the node until SIGTERM or SIGINT, which stop every service. Units are read once. PID 1 reaps what
 * services leave behind and starts this again when it dies.
 */
export async function supervise(): Promise<void> {
  const ended = await endPredecessor();
  if (ended > 0)
    announce({
      kind: 'warning',
      text: `supervisor: started again; ended ${ended} process groups of the one before`,
    });
  const { unitFiles, problems } = await readUnitDirectory(paths.units);
  for (const problem of problems) announce({ kind: 'warning', text: formatUnitProblem(problem) });
  const units = unitFiles.map(({ unit }) => unit);

  const supervisor = new Supervisor(units, await createHost(() => writeStatus(supervisor.status())));
  const stopRequested = nextSignal(['SIGTERM', 'SIGINT']);
  writeFileSync(paths.supervisorPid, `${process.pid}\n`);
  announce({ kind: 'reached', milestone: 'supervisor', values: { units: String(units.length) } });
  supervisor.start();
  await stopRequested;
  await supervisor.stop();
  rmSync(paths.supervisorPid, { force: true });
}

async function createHost(statusChanged: () => void) {
  const ring = new LogRing();
  const environment = {
    ...process.env,
    ...Object.fromEntries(parseKeyValues((await readTextIfPresent(paths.environment)) ?? '')),
  };
  const told = new Map<string, string>();
  return {
    async spawn(unit: Unit, part: 'exec' | 'test') {
      const child = await spawnUnit(unit, part, environment, ring);
      recordGroup(child.pid);
      void child.exited.then(() => forgetGroup(child.pid));
      return child;
    },
    async sleep(milliseconds: number, signal: AbortSignal) {
      await sleep(milliseconds, undefined, { signal }).catch(() => {}); // an aborted sleep has ended, too
    },
    changed({ unit, state, stopping }: Service) {
      statusChanged();
      if (!('reason' in state) || stopping) return;
      const lastLine = ring.lastLine(unit.name);
      const reason = lastLine === undefined ? state.reason : `${state.reason}: ${lastLine}`;
      if (told.get(unit.name) === reason) return; // a daemon that fails every two seconds says why once
      told.set(unit.name, reason);
      announce({ kind: 'failed', unit: unit.name, reason });
    },
  };
}

function nextSignal(signals: readonly NodeJS.Signals[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve());
  });
}
