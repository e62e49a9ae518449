import { type ConsoleLine, milestones, parseConsoleLine } from '../node/console.ts';
import type { NodeReport } from '../node/report.ts';
import { type FatalLine, fatalIn } from './fatal.ts';
import { kernelMessage, NodeLineMender } from './node-lines.ts';

/** The steps of a boot in their order: what the firmware and the kernel show, then what the node says. */
export const bootMilestones = ['firmware', 'kernel', ...milestones] as const;
export type BootMilestone = (typeof bootMilestones)[number];

/** A milestone that a boot has reached, `at` milliseconds after the guest was started. */
export interface Reached {
  readonly milestone: BootMilestone;
  readonly at: number;
  /** What the node said with it: `build=… interface=…`. */
  readonly values: Readonly<Record<string, string>>;
}

/** A unit of the node that failed, with the reason that the node gave. */
export interface FailedUnit {
  readonly unit: string;
  readonly reason: string;
}

/** What a console line means. */
export type BootEvent =
  | ({ readonly kind: 'reached' } & Reached)
  | { readonly kind: 'fatal'; readonly fatal: FatalLine }
  | Exclude<ConsoleLine, { kind: 'reached' }>;

const earlyMilestones: readonly { readonly milestone: BootMilestone; readonly pattern: RegExp }[] = [
  { milestone: 'firmware', pattern: /^(?:SeaBIOS|UEFI firmware) \(version |^BdsDxe: / },
  { milestone: 'kernel', pattern: /\[ *\d+\.\d{6}\] Linux version / },
];

/**
 * Follows a boot by its console lines. Feed it each line with the time when it came; it says what the line means and keeps
 * what the boot has reached. Only lines that are not the node's own are searched for fatal ones, so a report that quotes a
 * panic is no panic.
 */
export class BootWatch {
  readonly reached: Reached[] = [];
  readonly notes: string[] = [];
  readonly warnings: string[] = [];
  readonly failedUnits: FailedUnit[] = [];
  report: NodeReport | undefined;
  /** The first fatal line: later ones are mostly its consequences. */
  fatal: FatalLine | undefined;
  /** Whether the kernel, or anything that it started, has said a word. */
  kernelSpoke = false;
  readonly #mender = new NodeLineMender();

  /** Takes a console line that came `at` milliseconds after the start. */
  feed(line: string, at: number): BootEvent[] {
    return this.#mender.push(line).flatMap((whole) => {
      const said = parseConsoleLine(whole);
      return (said ? this.#nodeLine(said, at) : this.#otherLine(whole, at)) ?? [];
    });
  }

  /** Takes a line that the emulator itself printed. */
  feedEmulator(line: string, at: number): BootEvent[] {
    const event = this.#fatalLine(line, at);
    return event ? [event] : [];
  }

  hasReached(milestone: BootMilestone): boolean {
    return this.reached.some((reached) => reached.milestone === milestone);
  }

  #nodeLine(line: ConsoleLine, at: number): BootEvent | undefined {
    this.kernelSpoke = true;
    switch (line.kind) {
      case 'reached':
        return this.#reach({ milestone: line.milestone, at, values: line.values });
      case 'note':
        this.notes.push(line.text);
        return line;
      case 'warning':
        this.warnings.push(line.text);
        return line;
      case 'failed':
        this.failedUnits.push({ unit: line.unit, reason: line.reason });
        return line;
      case 'report':
        this.report = line.report;
        return line;
    }
  }

  #otherLine(line: string, at: number): BootEvent | undefined {
    if (kernelMessage.test(line)) this.kernelSpoke = true;
    const early = earlyMilestones.find(({ pattern }) => pattern.test(line));
    return early ? this.#reach({ milestone: early.milestone, at, values: {} }) : this.#fatalLine(line, at);
  }

  #fatalLine(line: string, at: number): BootEvent | undefined {
    const pattern = this.fatal ? undefined : fatalIn(line);
    if (!pattern) return undefined;
    this.fatal = { name: pattern.name, explanation: pattern.explanation, line, at };
    return { kind: 'fatal', fatal: this.fatal };
  }

  /** A milestone counts once: the first time that it is reached. */
  #reach(reached: Reached): BootEvent | undefined {
    if (this.hasReached(reached.milestone)) return undefined;
    this.reached.push(reached);
    return { kind: 'reached', ...reached };
  }
}
