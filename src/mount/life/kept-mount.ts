import { closeSync, copyFileSync, fstatSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errnoOf, Failure } from '../../base/errors.ts';
import { type Manifest, readManifest } from '../../flist/manifest/manifest.ts';
import type { BegunMount } from '../../fuse/mount-point.ts';
import type { NegotiatedSession } from '../../fuse/negotiate.ts';
import { beginFlistMount } from '../begin-mount.ts';
import { inherited, Keeper, takesOver } from './keeper.ts';
import { createStateFile, type MountState, readState, writeState } from './mount-state.ts';

/** Servers that may die within this many milliseconds, one after the other, before the mount is given up. */
const manyTakeOvers = 5;
const shortTime = 10_000;

/** How the mount goes on when its server dies. */
export interface Plan<Handover> {
  /** The program that takes over, see `KeeperOptions.command`. */
  readonly command: readonly string[];
  /** What it needs to know: it may hold secrets. */
  readonly handover: Handover;
}

/**
 * A mount that outlives its server: the device, what is open, the flist and what was agreed on are kept by a process that
 * starts another server when this one dies (`Keeper`).
 */
export class KeptMount<Handover = unknown> {
  readonly device: number;
  /** The mount that is to be completed; undefined when a predecessor did that. */
  readonly begun: BegunMount | undefined;
  /** The file of the table of open files (`OpenFiles`). */
  readonly openFiles: number;
  /** The file of the log of requests (`RequestLog`). */
  readonly requests: number;
  /** When the flist was mounted, by the first server, in milliseconds since 1970. */
  readonly mounted: number;
  /** What another server left, whose place this one takes. */
  readonly predecessor: MountState<NegotiatedSession, Handover> | undefined;
  readonly #state: number;
  readonly #manifest: number;
  readonly #plan: Plan<Handover>;
  #keeper: Keeper | undefined;
  #isSaved = false;

  private constructor(
    files: Readonly<Record<keyof typeof inherited, number>>,
    plan: Plan<Handover>,
    mount: { readonly begun: BegunMount } | { readonly predecessor: MountState<NegotiatedSession, Handover> },
  ) {
    const predecessor = 'predecessor' in mount ? mount.predecessor : undefined;
    this.begun = 'begun' in mount ? mount.begun : undefined;
    this.device = files.device;
    this.openFiles = files.openFiles;
    this.requests = files.requests;
    this.#state = files.state;
    this.#manifest = files.manifest;
    this.predecessor = predecessor;
    this.mounted = predecessor?.mounted ?? Date.now();
    this.#plan = plan;
  }

  /** @throws Failure when there is no FUSE, the flist cannot be opened, or the directory cannot be used */
  static async create<Handover>({
    manifest,
    mountpoint,
    ...plan
  }: Plan<Handover> & { readonly manifest: string; readonly mountpoint: string }): Promise<
    KeptMount<Handover>
  > {
    const descriptor = openManifest(manifest);
    const begun = await beginFlistMount(mountpoint);
    const files = {
      manifest: descriptor,
      device: begun.device,
      state: createStateFile(),
      openFiles: createStateFile(),
      requests: createStateFile(),
    };
    const kept = new KeptMount(files, plan, { begun });
    kept.startKeeper().ready.catch(() => {}); // whoever needs it hears of it
    return kept;
  }

  /**
   * In a process that a keeper started: the mount that it shall go on with; undefined when there is none, because the server
   * before it died too early.
   * @param plan makes the plan of this process out of what its predecessor handed over
   */
  static inherited<Handover>(
    plan: (handover: Handover) => Omit<Plan<Handover>, 'handover'>,
  ): KeptMount<Handover> | undefined {
    const state = readState<NegotiatedSession, Handover>(inherited.state);
    if (state === undefined) return undefined;
    const takeOvers = [...state.takeOvers, Date.now()].slice(-manyTakeOvers);
    const predecessor = { ...state, takeOvers };
    writeState(inherited.state, predecessor);
    return new KeptMount(inherited, { ...plan(state.handover), handover: state.handover }, { predecessor });
  }

  /** Whether servers of this mount die again and again. */
  get isHopeless(): boolean {
    const { takeOvers = [] } = this.predecessor ?? {};
    return takeOvers.length === manyTakeOvers && takeOvers.at(-1)! - takeOvers[0]! < shortTime;
  }

  /** The flist that was mounted, also when another one has its name by now. */
  async readManifest(path: string): Promise<Manifest> {
    const [kept, named] = [fstatSync(this.#manifest), statSync(path, { throwIfNoEntry: false })];
    if (named?.dev === kept.dev && named.ino === kept.ino) return readManifest(path);
    const directory = mkdtempSync(join(tmpdir(), 'flist-'));
    try {
      const copy = join(directory, 'manifest');
      copyFileSync(`/proc/self/fd/${this.#manifest}`, copy);
      return await readManifest(copy);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /**
   * Starts the keeper, unless that is done: it needs time, so it is begun before everything else.
   * @returns the source of the mount: a pid that stays while servers come and go, undefined when the keeper cannot be started; and when it
   * keeps the mount, which fails then
   */
  startKeeper(): { readonly source: string | undefined; readonly ready: Promise<void> } {
    const { device, openFiles, requests } = this;
    this.#keeper ??= Keeper.begin({
      command: this.#plan.command,
      files: { device, openFiles, requests, state: this.#state, manifest: this.#manifest },
    });
    const { pid, ready } = this.#keeper;
    return { source: this.predecessor?.source ?? pid?.toString(), ready };
  }

  /** From here on another server can take over. */
  save(mount: Pick<MountState<NegotiatedSession>, 'mountpoint' | 'source' | 'session'>): void {
    const takeOvers = this.predecessor?.takeOvers ?? [];
    writeState(this.#state, { ...mount, mounted: this.mounted, takeOvers, handover: this.#plan.handover });
    this.#isSaved = true;
  }

  /** Whether another server can take over. */
  get isSaved(): boolean {
    return this.#isSaved;
  }

  /** Closes the device everywhere, so that who waits for an answer gets an error: nobody shall take over. */
  giveUp(): void {
    this.end();
    if (takesOver()) process.kill(process.ppid, 'SIGKILL');
    closeSync(this.device);
  }

  /** The mount has ended: nobody shall take over. */
  end(): void {
    this.#keeper?.end();
  }
}

/** Ends this process, so that another takes over. Any other end would have to wait for the thread that reads the device. */
export function leaveAtOnce(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('a killed process goes on');
}

function openManifest(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') throw new Failure('not-found', `there is no manifest ${path}`);
    throw new Failure('failed', `cannot read the manifest ${path}`, { cause });
  }
}
