import { formatTable } from '../base/table.ts';
import { formatDuration } from '../base/units.ts';
import { shellLine } from './machine.ts';
import type { GuestLimits } from './qemu.ts';
import type { Verdict } from './verdict.ts';

/** A verdict for people: how the boot ended and why, its milestones with their times, and where to look next. */
export function formatVerdict(verdict: Verdict): string {
  const { scenario, duration, accelerator } = verdict;
  const time = formatDuration(duration);
  return [
    `${scenario}: ${verdict.outcome} after ${time} (${accelerator.accelerator}: ${accelerator.reason})`,
    ...explain(verdict).map((line) => `  ${line}`),
    ...milestoneTable(verdict).map((line) => `    ${line}`),
    ...verdict.failedUnits.map(({ unit, reason }) => `  unit ${unit} failed: ${reason}`),
    ...verdict.warnings.map((text) => `  warning: ${text}`),
    ...verdict.notes.map((text) => `  note: ${text}`),
    `  log: ${verdict.log}`,
    `  command: ${shellLine(verdict.command)}`,
  ].join('\n');
}

const limitMeanings: Readonly<Record<keyof GuestLimits, string>> = {
  overall: 'the boot took too long',
  milestone: 'no milestone was reached for too long',
  idle: 'the console was silent for too long',
};

function explain(verdict: Verdict): string[] {
  switch (verdict.outcome) {
    case 'ready':
      return [`build ${verdict.report.buildId}, kernel ${verdict.report.release}`];
    case 'expectation-failed':
      return verdict.failures.map(({ expectation, found }) => `expected: ${expectation}; found: ${found}`);
    case 'panic':
      return [`${verdict.fatal.name}: ${verdict.fatal.explanation}`, verdict.fatal.line];
    case 'timeout':
      return [`${limitMeanings[verdict.limit]}, while ${awaited(verdict.missing)} was awaited`];
    case 'no-output':
      return [`${limitMeanings[verdict.limit]}, and the kernel never said a word`];
    case 'qemu-failed':
      return verdict.reason.split('\n');
    case 'powered-off-early':
      return [`the guest powered off or reset itself while ${awaited(verdict.missing)} was awaited`];
  }
}

function awaited(missing: string | undefined): string {
  return missing === undefined ? 'the report' : `the milestone ${missing}`;
}

/** Each milestone with the time since the start, the time since the one before it, and what the node said with it. */
function milestoneTable({ milestones }: Verdict): string[] {
  const rows = milestones.map(({ milestone, at, values }, index) => [
    milestone,
    formatDuration(at),
    `+${formatDuration(at - (milestones[index - 1]?.at ?? 0))}`,
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .join(' '),
  ]);
  return formatTable(rows, ['left', 'right', 'right', 'left']);
}
