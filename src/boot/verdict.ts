import type { NodeReport } from '../node/report.ts';
import type { AcceleratorDecision } from './accelerator.ts';
import type { FatalLine } from './fatal.ts';
import type { GuestLimits, GuestRun } from './qemu.ts';
import type { BootMilestone, BootWatch, FailedUnit, Reached } from './watch.ts';

/** What a booted node said of itself. */
export interface Observed {
  readonly report: NodeReport;
  readonly reached: readonly Reached[];
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly failedUnits: readonly FailedUnit[];
}

/** Something that must hold of a booted node. */
export interface Expectation {
  /** What must hold, as a sentence: `the driver of the second network card comes from a flist`. */
  readonly sentence: string;
  /** What was found in its place; undefined when it holds. */
  readonly finding: (node: Observed) => string | undefined;
}

/** An expectation that does not hold. */
export interface Unmet {
  readonly expectation: string;
  readonly found: string;
}

/** How a boot ended. Only `ready` is a success: the node reported, every milestone came in order, every expectation holds. */
export type Outcome =
  | { readonly outcome: 'ready'; readonly report: NodeReport }
  | {
      readonly outcome: 'expectation-failed';
      readonly report: NodeReport;
      readonly failures: readonly Unmet[];
    }
  /** A line came after which no boot succeeds: mostly a panic. */
  | { readonly outcome: 'panic'; readonly fatal: FatalLine }
  | {
      readonly outcome: 'timeout';
      readonly limit: keyof GuestLimits;
      readonly missing: BootMilestone | undefined;
    }
  /** A timeout at which not even the kernel had said anything. */
  | { readonly outcome: 'no-output'; readonly limit: keyof GuestLimits }
  | { readonly outcome: 'qemu-failed'; readonly reason: string }
  /** The guest was powered off, or reset itself, before it reported. */
  | { readonly outcome: 'powered-off-early'; readonly missing: BootMilestone | undefined };

export type Verdict = Outcome & {
  readonly scenario: string;
  readonly milestones: readonly Reached[];
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly failedUnits: readonly FailedUnit[];
  /** The file with everything that the console showed. */
  readonly log: string;
  /** The command that ran the guest, program first. */
  readonly command: readonly string[];
  readonly accelerator: AcceleratorDecision;
  /** Milliseconds from the start of the emulator to its end. */
  readonly duration: number;
};

/** What a boot is judged by. */
export interface Judgement {
  /** The milestones that must be reached, in their order. */
  readonly milestones: readonly BootMilestone[];
  readonly expectations: readonly Expectation[];
}

/** Judges a boot that has ended. */
export function judge(run: GuestRun, watch: BootWatch, by: Judgement): Outcome {
  const { end } = run;
  if (watch.fatal) return { outcome: 'panic', fatal: watch.fatal };
  if (end.kind === 'exited' && end.code !== 0) return { outcome: 'qemu-failed', reason: exitReason(run) };
  const missing = by.milestones.find((milestone) => !watch.hasReached(milestone));
  const { report } = watch;
  if (!report && end.kind === 'timeout') {
    return watch.kernelSpoke
      ? { outcome: 'timeout', limit: end.limit, missing }
      : { outcome: 'no-output', limit: end.limit };
  }
  if (!report) return { outcome: 'powered-off-early', missing };
  const all = [poweredOff(run), ...by.milestones.map(reachedInOrder), ...by.expectations];
  const failures = unmet(all, { ...watch, report });
  return failures.length === 0
    ? { outcome: 'ready', report }
    : { outcome: 'expectation-failed', report, failures };
}

function exitReason({ end, emulatorLines }: GuestRun): string {
  const how = end.kind === 'exited' ? (end.signal ?? `code ${end.code}`) : end.kind;
  return [`it ended with ${how}`, ...emulatorLines].join('\n');
}

function unmet(expectations: readonly Expectation[], node: Observed): Unmet[] {
  return expectations.flatMap(({ sentence, finding }) => {
    const found = findingOf(finding, node);
    return found === undefined ? [] : [{ expectation: sentence, found }];
  });
}

/** A report is what a guest wrote: it may lack any part. */
function findingOf(finding: Expectation['finding'], node: Observed): string | undefined {
  try {
    return finding(node);
  } catch (error) {
    if (error instanceof TypeError) return `a report that lacks a part of it (${error.message})`;
    throw error;
  }
}

function poweredOff({ end }: GuestRun): Expectation {
  return {
    sentence: 'the node powers itself off after its report',
    finding: () => (end.kind === 'exited' ? undefined : 'it went on and had to be stopped'),
  };
}

function reachedInOrder(milestone: BootMilestone, index: number, all: readonly BootMilestone[]): Expectation {
  const before = all[index - 1];
  return {
    sentence: `the milestone ${milestone} is reached${before === undefined ? '' : ` after ${before}`}`,
    finding: ({ reached }) => {
      const position = (name: BootMilestone) => reached.findIndex((each) => each.milestone === name);
      if (position(milestone) < 0) return 'it never was';
      return before !== undefined && position(before) > position(milestone)
        ? `${before} came later`
        : undefined;
    },
  };
}
