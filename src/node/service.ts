import { describeError } from '../base/errors.ts';
import type { Unit } from './units.ts';

/**
 * What a service is doing, in zinit's words. `Blocked`: waits for what it is after; `Spawned`: started, its test has not
 * passed; `TestFailure`: started, and its test cannot be; `Success` and `Error`: ended; `Failure`: cannot be started.
 */
export type ServiceState =
  | { readonly name: 'Unknown' | 'Blocked' | 'Spawned' | 'Running' | 'Success' }
  | { readonly name: 'Error' | 'TestFailure' | 'Failure'; readonly reason: string };

/** How a process ended. */
export type Exit = { readonly code: number } | { readonly signal: string };

/** A process that leads a process group of its own. */
export interface Child {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Signals every process of the group that is left. */
  signalGroup(signal: NodeJS.Signals): void;
}

/** What a service needs from the world around it. */
export interface ServiceHost {
  /**
   * Starts the unit's command or its test.
   * @throws when the program cannot be started
   */
  spawn(unit: Unit, part: 'exec' | 'test'): Promise<Child>;
  /** Ends once everything that the unit is after is satisfied, or when `signal` aborts. */
  dependencies(unit: Unit, signal: AbortSignal): Promise<void>;
  /** Ends after so many milliseconds, or when `signal` aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Hears of every new state, after the service shows it. */
  changed(service: Service): void;
}

/** Milliseconds between the end of a daemon and its next start; zinit's. */
export const restartDelay = 2000;
/** Milliseconds between two tries of a test; zinit's. */
export const testInterval = 2000;

/** One unit at work: started when what it is after is satisfied, tested, and started again if it is a daemon. */
export class Service {
  readonly unit: Unit;
  readonly #host: ServiceHost;
  readonly #stopping = new AbortController();
  #state: ServiceState = { name: 'Unknown' };
  #child: Child | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(unit: Unit, host: ServiceHost) {
    this.unit = unit;
    this.#host = host;
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** The process that leads the service's group now. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether it was told to end. */
  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Whether units after this one may start: it ended well, or it is a daemon that does its work. */
  get satisfied(): boolean {
    return this.#state.name === 'Success' || (this.#state.name === 'Running' && !this.unit.oneshot);
  }

  start(): void {
    this.#ended = this.#run();
  }

  /** Ends the service for good: its stop signal, then SIGKILL after the unit's shutdown timeout. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#child?.signalGroup(this.unit.stopSignal);
    const enough = new AbortController();
    const ended = this.#ended.then(() => enough.abort());
    await this.#host.sleep(this.unit.shutdownTimeout * 1000, enough.signal);
    this.#child?.signalGroup('SIGKILL');
    await ended;
  }

  async #run(): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      this.#become({ name: 'Blocked' });
      await this.#host.dependencies(this.unit, stopping);
      if (stopping.aborted) return;
      try {
        this.#child = await this.#host.spawn(this.unit, 'exec');
      } catch (error) {
        this.#become({ name: 'Failure', reason: describeError(error) });
        return;
      }
      if (stopping.aborted) this.#child.signalGroup(this.unit.stopSignal);
      await this.#watch(this.#child);
      this.#child = undefined;
      if (this.unit.oneshot) return;
      await this.#host.sleep(restartDelay, stopping);
    }
  }

  /** From a started process to its end. */
  async #watch(child: Child): Promise<void> {
    const life = new AbortController();
    this.#become({ name: 'Spawned' });
    if (this.unit.oneshot || this.unit.test.length === 0) this.#become({ name: 'Running' });
    const tested = this.#state.name === 'Running' ? undefined : this.#testUntilPassed(life.signal);
    const exit = await child.exited;
    life.abort();
    await tested;
    if (!this.unit.oneshot) child.signalGroup('SIGKILL'); // what is left of a daemon must not run beside its successor
    this.#become(
      'code' in exit && exit.code === 0 ? { name: 'Success' } : { name: 'Error', reason: describeExit(exit) },
    );
  }

  async #testUntilPassed(life: AbortSignal): Promise<void> {
    while (!life.aborted) {
      const passed = await this.#test(life);
      if (life.aborted) return;
      if (passed) {
        this.#become({ name: 'Running' });
        return;
      }
      await this.#host.sleep(testInterval, life);
    }
  }

  async #test(life: AbortSignal): Promise<boolean> {
    let test: Child;
    try {
      test = await this.#host.spawn(this.unit, 'test');
    } catch (error) {
      if (!life.aborted) this.#become({ name: 'TestFailure', reason: describeError(error) });
      return false;
    }
    const kill = () => test.signalGroup('SIGKILL');
    if (life.aborted) kill();
    life.addEventListener('abort', kill);
    const exit = await test.exited;
    life.removeEventListener('abort', kill);
    return 'code' in exit && exit.code === 0;
  }

  #become(state: ServiceState): void {
    this.#state = state;
    this.#host.changed(this);
  }
}

/** `exited with code 1`, `killed by SIGKILL`. */
export function describeExit(exit: Exit): string {
  return 'code' in exit ? `exited with code ${exit.code}` : `killed by ${exit.signal}`;
}
