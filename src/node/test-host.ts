import { setImmediate } from 'node:timers/promises';
import type { Child, Exit, Service } from './service.ts';
import type { SupervisorHost } from './supervisor.ts';
import type { Unit } from './units.ts';

/** For tests: a unit with zinit's defaults. */
export function unitOf(name: string, settings: Partial<Unit> = {}): Unit {
  return {
    name,
    exec: [name],
    test: [],
    oneshot: false,
    after: [],
    stopSignal: 'SIGTERM',
    log: 'ring',
    env: {},
    directory: '/',
    shutdownTimeout: 10,
    ...settings,
  };
}

/** For tests: a process that ends when the test says so. */
export class FakeChild implements Child {
  readonly pid: number;
  readonly label: string;
  readonly exited: Promise<Exit>;
  readonly signals: NodeJS.Signals[] = [];
  /** Signals that end it; none for one that ignores them. */
  endsOn: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGKILL'];
  #exit!: (exit: Exit) => void;

  constructor(pid: number, label: string) {
    this.pid = pid;
    this.label = label;
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
  }

  exit(code: number): void {
    this.#exit({ code });
  }

  signalGroup(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (this.endsOn.includes(signal)) this.#exit({ signal });
  }
}

/** For tests: a world without processes and with a clock that stands still until `advance`. */
export class FakeHost implements SupervisorHost {
  /** Every process ever started, in order; a test's label is `NAME/test`. */
  readonly started: FakeChild[] = [];
  /** Every change, as `NAME STATE`. */
  readonly history: string[] = [];
  /** Labels of programs that cannot be started. */
  readonly missing = new Set<string>();
  now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  async spawn(unit: Unit, part: 'exec' | 'test'): Promise<Child> {
    const label = part === 'exec' ? unit.name : `${unit.name}/test`;
    if (this.missing.has(label)) throw new Error(`no program ${label}`);
    const child = new FakeChild(this.started.length + 1, label);
    this.started.push(child);
    return child;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = { at: this.now + milliseconds, fire: resolve };
      this.#timers.add(timer);
      signal.addEventListener('abort', () => {
        this.#timers.delete(timer);
        resolve();
      });
    });
  }

  changed({ unit, state }: Service): void {
    this.history.push(`${unit.name} ${state.name}`);
  }

  /** Lets everything happen that can without time passing. */
  async settle(): Promise<void> {
    for (let round = 0; round < 5; round++) await setImmediate();
  }

  async advance(milliseconds: number): Promise<void> {
    await this.settle();
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.now = due.at;
      this.#timers.delete(due);
      due.fire();
      await this.settle();
    }
    this.now = end;
  }

  labels(): string[] {
    return this.started.map(({ label }) => label);
  }

  /** The last process of that label. */
  last(label: string): FakeChild {
    const child = this.started.findLast((candidate) => candidate.label === label);
    if (!child) throw new Error(`${label} was not started; started: ${this.labels().join(', ')}`);
    return child;
  }
}
