import { type Clock, systemClock } from '../../base/clock.ts';
import { describeError, Failure, type FailureKind } from '../../base/errors.ts';
import { formatDuration } from '../../base/units.ts';
import type { DirectBlocks } from '../dir/direct-writer.ts';
import type { LocalDirectory } from '../local.ts';
import { covers, type Route } from '../route.ts';
import type { BlockId, Store } from '../store.ts';
import { missingBlock, requireBlockId } from '../store-errors.ts';
import { type BlockUpkeep, claimBlock } from '../upkeep.ts';
import { Quarantine } from './quarantine.ts';
import { type RetryOptions, RetryStore, withRetries } from './retry.ts';
import { fromStore, type Verifier, verifyId } from './verify.ts';

/** A store with the range of blocks that it is for. Stores whose ranges overlap are replicas of each other there. */
export interface Replica {
  readonly route: Route;
  readonly store: Store;
  /** Whether no network lies between: asked before those where one does. */
  readonly isLocal?: boolean;
  /** How often it is asked again. A block is asked for at every replica before the first is asked again. Not at all by default. */
  readonly retries?: RetryOptions;
  /** Whether a bad block may be replaced there by the good one of another replica. */
  readonly heals?: boolean;
}

export interface FailoverOptions {
  /** The check of `get`; `verifyId` by default. */
  readonly verify?: Verifier;
  /** How long a replica in quarantine is asked last, in milliseconds; 30,000 by default. */
  readonly quarantine?: number;
  /** Errors in a row that bring a replica into quarantine; 3 by default. Bad content does at once. */
  readonly strikes?: number;
  /** Hears of bad content, of quarantines and of healing. */
  readonly note?: (line: string) => void;
  readonly clock?: Clock;
  /** From 0 to below 1; decides between replicas that are equally good. */
  readonly random?: () => number;
}

interface Member extends Replica {
  readonly trust: Quarantine;
  /** The store with its retries. */
  readonly patient: Store;
}

/** What went wrong at one replica. */
interface Miss {
  readonly member: Member;
  readonly failure: Failure;
  readonly isBad: boolean;
}

/** How one replica answered to one question for a block. */
export interface ReplicaAnswer {
  readonly address: string;
  /** Stored bytes; undefined when it gave none, or bad ones. */
  readonly bytes: number | undefined;
  readonly milliseconds: number;
}

/** What turns stored bytes, and the address of the store that gave them, into what the caller wants. @throws Failure `corrupt` for bytes that are not the block. */
export type Check<T> = (blob: Uint8Array, address: string) => T | Promise<T>;

/**
 * Several stores as one: shards by the first byte of the block id, and replicas where ranges overlap (flist format, section
 * 3.7). A block is written to every replica, and read from the first that gives it whole and right: healthy and local ones
 * are asked first, equal ones in random order.
 */
export class Failover implements Store {
  readonly address: string;
  readonly capabilities: Store['capabilities'];
  /** Hears of each answer to `get`. */
  onAnswer: ((answer: ReplicaAnswer) => void) | undefined;
  readonly #members: readonly Member[];
  readonly #options: Required<FailoverOptions>;

  constructor(replicas: readonly Replica[], options: FailoverOptions = {}) {
    const { verify = verifyId, quarantine = 30_000, strikes = 3, note = () => {} } = options;
    const { clock = systemClock, random = Math.random } = options;
    this.#options = { verify, quarantine, strikes, note, clock, random };
    this.#members = replicas.map((replica) => ({
      ...replica,
      trust: new Quarantine({ period: quarantine, strikes, clock }),
      patient: replica.retries === undefined ? replica.store : new RetryStore(replica.store, replica.retries),
    }));
    this.address = replicas.map(({ store }) => store.address).join(', ') || 'no store';
    const every = (what: keyof Store['capabilities']) =>
      replicas.length > 0 && replicas.every(({ store }) => store.capabilities[what]);
    this.capabilities = { write: every('write'), list: every('list'), delete: every('delete') };
  }

  /** The addresses of the stores. */
  get addresses(): readonly string[] {
    return this.#members.map(({ store }) => store.address);
  }

  /** The plain directories among the stores: readers on this machine may open the files of blocks themselves. */
  get directories(): readonly LocalDirectory[] {
    return this.#members.flatMap(({ route: { start, end }, store: { direct } }) =>
      direct === undefined ? [] : [{ start, end, root: direct.root }],
    );
  }

  /** That of the only store; several have none together. */
  get upkeep(): BlockUpkeep | undefined {
    return this.#members.length === 1 ? this.#members[0]!.store.upkeep : undefined;
  }

  /** That of the only store, when it is for all blocks. */
  get direct(): DirectBlocks | undefined {
    const [only, ...others] = this.#members;
    const isWhole = only?.route.start === 0x00 && only.route.end === 0xff;
    return isWhole && others.length === 0 && only.retries === undefined ? only.store.direct : undefined;
  }

  async get(id: BlockId, signal?: AbortSignal): Promise<Uint8Array> {
    const whole: Check<Uint8Array> = async (blob) => {
      await this.#options.verify(id, blob);
      return blob;
    };
    return this.getChecked(id, whole, signal);
  }

  /**
   * What `check` makes of a block. A replica whose bytes it refuses is passed over, so that a caller who knows more than the
   * id, such as the digest of the plain bytes, gets what passes his own check.
   * @throws Failure of the only replica, or one about all of them: `unavailable` or `timeout` when the block may still come.
   */
  async getChecked<T>(id: BlockId, check: Check<T>, signal?: AbortSignal): Promise<T> {
    const members = this.#membersOf(id);
    const patience = members
      .flatMap(({ retries }) => retries ?? [])
      .sort(byAttempts)
      .at(-1);
    return withRetries(patience ?? { attempts: 1 }, signal, () => this.#round(members, id, check, signal));
  }

  async put(id: BlockId, blob: Uint8Array, signal?: AbortSignal): Promise<void> {
    const members = this.#membersOf(id);
    if (members.length === 0)
      throw new Failure('config', `no store is for blocks that start with ${id.slice(0, 2)}`, {
        hint: 'together the ranges of the stores must cover 00-ff',
      });
    await everyOne(members, `block ${id} is not in every store`, signal, ({ patient }) =>
      patient.put(id, blob, signal),
    );
  }

  /** Whether every store of the range holds the block, so that putting it would change nothing. */
  async has(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.#allHold(id, signal, (store) => store.has(id, signal));
  }

  async claim(id: BlockId, signal?: AbortSignal): Promise<boolean> {
    return this.#allHold(id, signal, (store) => claimBlock(store, id, signal));
  }

  async *list(signal?: AbortSignal): AsyncIterable<BlockId> {
    const seen = new Set<BlockId>();
    for (const { route, patient } of this.#members)
      for await (const id of patient.list(signal)) {
        if (!covers(route, id) || seen.has(id)) continue;
        if (this.#membersOf(id).length > 1) seen.add(id);
        yield id;
      }
  }

  async delete(id: BlockId, signal?: AbortSignal): Promise<void> {
    const members = this.#membersOf(id);
    await everyOne(members, `block ${id} is not deleted everywhere`, signal, ({ patient }) =>
      patient.delete(id, signal),
    );
  }

  #membersOf(id: BlockId): Member[] {
    requireBlockId(id);
    return this.#members.filter(({ route }) => covers(route, id));
  }

  async #allHold(
    id: BlockId,
    signal: AbortSignal | undefined,
    ask: (store: Store) => Promise<boolean>,
  ): Promise<boolean> {
    const members = this.#membersOf(id);
    const what = `it cannot be told whether every store has block ${id}`;
    const held = await everyOne(members, what, signal, ({ patient }) => ask(patient));
    return held.length > 0 && held.every(Boolean);
  }

  /** Asks each replica once, until one gives what passes the check. */
  async #round<T>(
    members: readonly Member[],
    id: BlockId,
    check: Check<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const misses: Miss[] = [];
    for (const member of this.#inOrder(members)) {
      let blob: Uint8Array | undefined;
      const { clock } = this.#options;
      const started = clock.now();
      let milliseconds: number | undefined;
      const answered = (bytes: number | undefined) =>
        this.onAnswer?.({
          address: member.store.address,
          bytes,
          milliseconds: milliseconds ?? clock.now() - started,
        });
      try {
        blob = await member.store.get(id, signal);
        milliseconds = clock.now() - started;
        const { length } = blob;
        const value = await check(blob, member.store.address);
        answered(length);
        member.trust.gaveGood();
        await this.#heal(misses, id, blob, signal);
        return value;
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof Failure)) throw error;
        answered(undefined);
        misses.push(this.#judge(member, id, error, blob !== undefined));
      }
    }
    throw this.#noneGave(id, misses);
  }

  #inOrder(members: readonly Member[]): readonly Member[] {
    if (members.length < 2) return members;
    return members
      .map((member) => ({
        member,
        rank: (member.trust.isActive ? 2 : 0) + (member.isLocal ? 0 : 1),
        chance: this.#options.random(),
      }))
      .sort((a, b) => a.rank - b.rank || a.chance - b.chance)
      .map(({ member }) => member);
  }

  /** A replica that has no such block is no worse for it: it may be younger than the others. */
  #judge(member: Member, id: BlockId, failure: Failure, gave: boolean): Miss {
    const { store, trust } = member;
    const isBad = failure.kind === 'corrupt';
    const wasActive = trust.isActive;
    if (isBad) trust.gaveBad();
    else if (failure.kind !== 'not-found') trust.gaveError();
    if (this.#members.length > 1) {
      const { note, quarantine } = this.#options;
      if (isBad) note(`${store.address} gave bad bytes for block ${id}`);
      if (trust.isActive && !wasActive)
        note(`${store.address} is asked last for ${formatDuration(quarantine)}`);
    }
    return { member, isBad, failure: gave ? fromStore(store, failure) : failure };
  }

  #noneGave(id: BlockId, misses: readonly Miss[]): Failure {
    if (misses.length === 1) return misses[0]!.failure;
    const worst = worstOf(misses.map(({ failure }) => failure));
    if (worst === undefined || worst.kind === 'not-found') return missingBlock(this, id);
    return together(`no store gives block ${id}`, worst, misses);
  }

  async #heal(
    misses: readonly Miss[],
    id: BlockId,
    blob: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const { member, isBad } of misses) {
      if (!isBad || !member.heals || !member.store.capabilities.write) continue;
      const { address } = member.store;
      try {
        await replaceBlock(member.store, id, blob, signal);
        this.#options.note(`${address}: block ${id} is healed`);
      } catch (error) {
        this.#options.note(`${address}: block ${id} cannot be healed: ${describeError(error)}`);
      }
    }
  }
}

/**
 * Reads a block and has it checked. A store of several replicas goes on to the next one when the check refuses the bytes of
 * one; see `Failover.getChecked`.
 */
export async function getChecked<T>(
  store: Store,
  id: BlockId,
  check: Check<T>,
  signal?: AbortSignal,
): Promise<T> {
  return store instanceof Failover
    ? store.getChecked(id, check, signal)
    : check(await store.get(id, signal), store.address);
}

/** Puts the good bytes over bad ones, and looks. A store may keep what it has: there the bad block is deleted first. */
async function replaceBlock(
  store: Store,
  id: BlockId,
  blob: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const putAndCompare = async () => {
    await store.put(id, blob, signal);
    return Buffer.compare(await store.get(id, signal), blob) === 0;
  };
  if (await putAndCompare()) return;
  if (store.capabilities.delete) {
    await store.delete(id, signal);
    if (await putAndCompare()) return;
  }
  throw new Failure('corrupt', 'it still gives bad bytes');
}

/** Asks all stores at the same time and waits for every answer. @throws Failure that names those that failed. */
async function everyOne<T>(
  members: readonly Member[],
  what: string,
  signal: AbortSignal | undefined,
  ask: (member: Member) => Promise<T>,
): Promise<T[]> {
  signal?.throwIfAborted();
  const [only] = members;
  if (only !== undefined && members.length === 1) return [await ask(only)];
  const results = await Promise.allSettled(members.map(ask));
  const misses: { member: Member; failure: Failure }[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') continue;
    if (signal?.aborted) throw signal.reason;
    if (!(result.reason instanceof Failure)) throw result.reason;
    misses.push({ member: members[index]!, failure: result.reason });
  }
  const worst = worstOf(misses.map(({ failure }) => failure));
  if (worst === undefined) return results.map((result) => (result as PromiseFulfilledResult<T>).value);
  throw together(`${what}: ${misses.length} of ${members.length} failed`, worst, misses);
}

/** Kinds from the one that says most about all replicas together: while one may still answer, nothing is lost. */
const weights: readonly FailureKind[] = [
  'unavailable',
  'timeout',
  'corrupt',
  'failed',
  'denied',
  'not-found',
];

function worstOf(failures: readonly Failure[]): Failure | undefined {
  const weight = ({ kind }: Failure) => (weights.includes(kind) ? weights.indexOf(kind) : weights.length);
  return [...failures].sort((a, b) => weight(a) - weight(b))[0];
}

function together(
  what: string,
  { kind, hint }: Failure,
  misses: readonly { member: Member; failure: Failure }[],
): Failure {
  const each = misses.map(({ member: { store }, failure }) => {
    const text = describeError(failure);
    return text.includes(store.address) ? text : `${store.address}: ${text}`;
  });
  return new Failure(kind, what, { cause: each.join('; '), ...(hint !== undefined && { hint }) });
}

function byAttempts(a: RetryOptions, b: RetryOptions): number {
  return (a.attempts ?? 0) - (b.attempts ?? 0);
}
