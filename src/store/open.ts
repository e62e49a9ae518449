import { kindOf, openKind, type StoreKind } from './kinds.ts';
import { type StoreAddress, type StoreParameters, splitAddress } from './parameters.ts';
import { parseRoute, parseStoreUrl, type Route } from './route.ts';
import type { Store } from './store.ts';
import { Failover, type Replica } from './wrappers/failover.ts';
import { FaultStore } from './wrappers/fault.ts';
import { LimitedStore } from './wrappers/limit.ts';
import { type Meter, MeteredStore } from './wrappers/meter.ts';
import { SingleFlightStore } from './wrappers/single-flight.ts';
import { TimeoutStore } from './wrappers/timeout.ts';

export interface OpenOptions {
  /** Counts what the stores are asked. */
  readonly meter?: Meter;
  /** Hears of bad content, of replicas that are asked last for a while, and of healing. */
  readonly note?: (line: string) => void;
}

/** What a store behind a network gets where its address says nothing else; a local one gets only what it says. */
const remoteDefaults: StoreParameters = { concurrency: 16, timeout: 15_000, retries: 4 };

/**
 * Opens the store of a specification `[xx-yy=]url`. Nothing is contacted or made before the first block.
 * @throws Failure `usage` for a malformed specification, `config` for a kind of store that is not supported.
 */
export async function openStore(spec: string, options?: OpenOptions): Promise<Failover> {
  return openRoutes([parseRoute(spec)], options);
}

/** Opens all routes of a manifest or a command line as one store. */
export async function openRoutes(routes: readonly Route[], options: OpenOptions = {}): Promise<Failover> {
  const replicas = await Promise.all(routes.map((route) => openReplica(route, options)));
  return new Failover(replicas, { ...(options.note && { note: options.note }) });
}

async function openReplica(route: Route, { meter }: OpenOptions): Promise<Replica> {
  const address = splitAddress(route.url);
  const url = parseStoreUrl(address.url);
  const kind = kindOf(url);
  const parameters = { ...(kind.remote && remoteDefaults), ...address.parameters };
  const { retries = 0, heal = false } = parameters;
  return {
    route,
    store: wrap(await openKind(kind, url), { kind, ...address, parameters }, meter),
    isLocal: !kind.remote,
    ...(retries > 0 && { retries: { attempts: retries + 1 } }),
    heals: heal,
  };
}

/**
 * What stands around a store, from the inside out: faults are met by everything else; the time that a question waits for
 * its turn does not count as the store's; and a question that is already asked takes no turn. Retries and failover come
 * around these, so that a pause before the next attempt takes no turn either.
 */
function wrap(
  store: Store,
  { kind, parameters, faults }: StoreAddress & { kind: StoreKind },
  meter: Meter | undefined,
): Store {
  const { timeout, concurrency, bandwidth } = parameters;
  let wrapped = store;
  if (faults !== undefined) wrapped = new FaultStore(wrapped, faults);
  if (timeout !== undefined) wrapped = new TimeoutStore(wrapped, { timeout });
  if (meter !== undefined) wrapped = new MeteredStore(wrapped, meter);
  if (concurrency !== undefined || bandwidth !== undefined)
    wrapped = new LimitedStore(wrapped, {
      ...(concurrency !== undefined && { concurrency }),
      ...(bandwidth !== undefined && { bandwidth }),
    });
  if (kind.remote) wrapped = new SingleFlightStore(wrapped);
  return wrapped;
}
