import { type Child, Service, type ServiceHost } from './service.ts';
import type { ServiceStatus } from './status.ts';
import { stopOrder } from './unit-graph.ts';
import type { Unit } from './units.ts';

/** What a supervisor needs from the world around it. */
export interface SupervisorHost {
  spawn(unit: Unit, part: 'exec' | 'test'): Promise<Child>;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Hears of every new state of a service. */
  changed(service: Service): void;
}

/** Runs units in the order that their `after` asks for, all at once where it allows. */
export class Supervisor {
  readonly #services: ReadonlyMap<string, Service>;
  readonly #waiters = new Set<() => void>();

  constructor(units: readonly Unit[], host: SupervisorHost) {
    const serviceHost: ServiceHost = {
      spawn: (unit, part) => host.spawn(unit, part),
      sleep: (milliseconds, signal) => host.sleep(milliseconds, signal),
      dependencies: (unit, signal) => this.#dependencies(unit, signal),
      changed: (service) => {
        host.changed(service);
        for (const recheck of [...this.#waiters]) recheck();
      },
    };
    this.#services = new Map(units.map((unit) => [unit.name, new Service(unit, serviceHost)]));
  }

  start(): void {
    for (const service of this.#services.values()) service.start();
  }

  /** Stops every service, each before the ones that it came after. */
  async stop(): Promise<void> {
    const stopped = new Map<string, Promise<void>>();
    const units = [...this.#services.values()].map(({ unit }) => unit);
    for (const name of stopOrder(units)) {
      const dependents = units
        .filter(({ after }) => after.includes(name))
        .map((unit) => stopped.get(unit.name));
      stopped.set(
        name,
        Promise.all(dependents).then(() => this.#services.get(name)!.stop()),
      );
    }
    await Promise.all(stopped.values());
  }

  /** Every service as a person wants to see it, in the order of the units. */
  status(): ServiceStatus[] {
    return [...this.#services.values()].map(({ unit, state, pid }) => ({
      name: unit.name,
      state: state.name,
      ...('reason' in state && { reason: state.reason }),
      ...(pid !== undefined && { pid }),
    }));
  }

  #dependencies(unit: Unit, signal: AbortSignal): Promise<void> {
    const satisfied = () => unit.after.every((name) => this.#services.get(name)?.satisfied);
    return new Promise((resolve) => {
      const recheck = () => {
        if (!signal.aborted && !satisfied()) return;
        this.#waiters.delete(recheck);
        signal.removeEventListener('abort', recheck);
        resolve();
      };
      this.#waiters.add(recheck);
      signal.addEventListener('abort', recheck);
      recheck();
    });
  }
}
