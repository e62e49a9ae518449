import { once } from 'node:events';
import { mkdir, readFile, realpath } from 'node:fs/promises';
import { release, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describeError, Failure } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { type Manifest, readManifest } from '../flist/manifest/manifest.ts';
import { unmount } from '../fuse/mount-point.ts';
import { findMount } from '../fuse/mount-table.ts';
import { type MountedFlist, mountFlist } from '../mount/mount-flist.ts';
import { openStore } from '../store/open.ts';
import { announce } from './announce.ts';
import { parseCmdline } from './cmdline.ts';
import { fetchManifest } from './fetch-manifest.ts';
import {
  clearOutcome,
  type FlistKind,
  type FlistOutcome,
  readOutcome,
  settleFlist,
} from './flist-outcome.ts';
import { filesBelow, refusalOfFirmware, refusalOfModules } from './flist-policy.ts';
import { type FlistSettings, flistSettings, publicAddress } from './flist-settings.ts';
import { parseKeyValues } from './key-values.ts';
import { paths } from './paths.ts';

/**
 * Mounts a flist of the node over the image's own files and serves it until SIGTERM. When it cannot, or must not, it says
 * why on the console, keeps that as the outcome, and only stays, for its unit is a daemon: the node goes on with what its image has.
 * @param worker the module that `mountFlist` runs in its worker thread
 * @throws Failure `failed` when a mount that stood ends by itself
 */
export async function runFlistUnit(kind: FlistKind, worker: URL): Promise<void> {
  await clearOutcome(kind);
  const started = await startFlist(kind, worker).catch(
    (error: unknown): Unmounted => ({ state: 'unavailable', detail: describeError(error) }),
  );
  if ('state' in started) await goWithout(kind, started);
  else await serveFlist(kind, started);
}

async function serveFlist(kind: FlistKind, { name, mount }: Started): Promise<void> {
  const stopped = once(process, 'SIGTERM').then(() => mount.unmount());
  const ended = mount.done.then(() => {
    throw new Failure('failed', `the mount of ${name} ended by itself`);
  });
  await settleFlist(kind, { state: 'mounted', manifest: name });
  announce({ kind: 'reached', milestone: `flist-${kind}`, values: { state: 'mounted', manifest: name } });
  await Promise.race([stopped, ended]); // who still uses files of an unmounted flist is not waited for
}

async function goWithout(kind: FlistKind, outcome: Unmounted): Promise<void> {
  const text = `flist ${kind}: ${outcome.state}: ${outcome.detail}; going on with what the image has`;
  announce({ kind: outcome.state === 'off' ? 'note' : 'warning', text });
  await settleFlist(kind, outcome);
  announce({ kind: 'reached', milestone: `flist-${kind}`, values: { state: outcome.state } });
  const idle = setInterval(() => {}, 2 ** 31 - 1); // without anything to wait for, node would end
  await once(process, 'SIGTERM');
  clearInterval(idle);
}

type Unmounted = Exclude<FlistOutcome, { state: 'mounted' }>;

interface Started {
  readonly name: string;
  readonly mount: MountedFlist;
}

async function startFlist(kind: FlistKind, worker: URL): Promise<Started | Unmounted> {
  const settings = await readSettings(kind);
  if ('off' in settings) return { state: 'off', detail: settings.off };
  const { name } = settings;
  const file = join(paths.flistState, name);
  await fetchManifest(settings.manifest, file, {
    patience: settings.patience,
    note: (text) => note(kind, text),
  });

  const mountpoint = await freeMountpoint(kind === 'modules' ? `/lib/modules/${release()}` : '/lib/firmware');
  const manifest = await readManifest(file);
  const refusal = await refusalOf(kind, manifest, mountpoint);
  if (refusal !== undefined) return { state: 'refused', detail: refusal, manifest: name };

  const store = await openStore(settings.blocks.href);
  const { cacheSize } = settings;
  const mount = await mountFlist({ manifest, mountpoint, cache: paths.cache, cacheSize, store, worker });
  if (!(await findMount(mountpoint))?.type.startsWith('fuse'))
    throw new Failure(
      'failed',
      `${publicAddress(settings.manifest)} was mounted, but ${mountpoint} is no mountpoint`,
    );
  return { name, mount };
}

async function readSettings(kind: FlistKind): Promise<FlistSettings | { readonly off: string }> {
  const settings = flistSettings(kind, {
    cmdline: parseCmdline(await readFile(paths.cmdline, 'utf8')),
    environment: process.env,
    image: parseKeyValues((await readTextIfPresent(paths.flists)) ?? ''),
    memory: totalmem(),
  });
  if ('off' in settings || kind === 'modules') return settings;
  // A server that the modules were waited for in vain is asked once more, and not waited for again.
  const inVain = (await readOutcome('modules')).state === 'unavailable';
  return inVain ? { ...settings, patience: 0 } : settings;
}

async function refusalOf(
  kind: FlistKind,
  manifest: Manifest,
  mountpoint: string,
): Promise<string | undefined> {
  return kind === 'modules'
    ? refusalOfModules(manifest, release())
    : refusalOfFirmware(manifest, await filesBelow(mountpoint));
}

/** The real path of a directory with nothing of an earlier run of this unit mounted on it; made when it is missing. */
async function freeMountpoint(directory: string): Promise<string> {
  await mkdir(dirname(directory), { recursive: true });
  const mountpoint = join(await realpath(dirname(directory)), basename(directory));
  while ((await findMount(mountpoint))?.type.startsWith('fuse')) await unmount(mountpoint);
  await mkdir(mountpoint, { recursive: true });
  return mountpoint;
}

function note(kind: FlistKind, text: string): void {
  announce({ kind: 'note', text: `flist ${kind}: ${text}` });
}
