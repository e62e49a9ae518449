import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../base/errors.ts';
import { run } from '../base/exec.ts';
import { readTextIfPresent } from '../base/files.ts';
import { parseCmdline } from './cmdline.ts';
import { type Device, type NetworkInterface, readDevices, readNetworkInterfaces } from './devices.ts';
import { type FlistKind, type FlistOutcome, readOutcome } from './flist-outcome.ts';
import { parseKeyValues } from './key-values.ts';
import { type LoadedModule, readLoadedModules } from './loaded-modules.ts';
import { paths } from './paths.ts';
import { readStatus, type ServiceStatus } from './status.ts';

/** What a node knows of itself once it is ready; one line of JSON on its console. */
export interface NodeReport {
  /** `BUILD_ID` of the image; empty when the image has no stamp. */
  readonly buildId: string;
  /** The kernel release that runs. */
  readonly release: string;
  /** Seconds since the kernel started. */
  readonly uptime: number;
  readonly units: readonly Pick<ServiceStatus, 'name' | 'state'>[];
  readonly flists: Readonly<Record<FlistKind, FlistOutcome>>;
  readonly modules: readonly LoadedModule[];
  readonly devices: readonly Device[];
  readonly networkInterfaces: readonly NetworkInterface[];
  /** Firmware that a driver asked for and did not get. */
  readonly missingFirmware: readonly string[];
  /** The files that `zos.sha256=/path,/path` on the kernel command line asks for. */
  readonly checks: readonly FileCheck[];
}

/** A file and the digest of what the node reads from it. */
export type FileCheck =
  | { readonly path: string; readonly sha256: string }
  | { readonly path: string; readonly error: string };

/** Reads the report of this node from the kernel and from what its units left in `/run/zos`. */
export async function collectReport(): Promise<NodeReport> {
  const stamp = parseKeyValues((await readTextIfPresent(paths.buildId)) ?? '');
  const cmdline = parseCmdline(await readFile(paths.cmdline, 'utf8'));
  const checked = (cmdline.get('zos.sha256') ?? '').split(',').filter((path) => path !== '');
  const [flistModules, flistFirmware] = await Promise.all([readOutcome('modules'), readOutcome('firmware')]);
  return {
    buildId: stamp.get('BUILD_ID') ?? '',
    release: release(),
    uptime: Number.parseFloat(await readFile('/proc/uptime', 'utf8')),
    units: (await readStatus()).map(({ name, state }) => ({ name, state })),
    flists: { modules: flistModules, firmware: flistFirmware },
    modules: await readLoadedModules('/proc/modules', paths.imageModules),
    devices: await readDevices('/sys'),
    networkInterfaces: await readNetworkInterfaces('/sys'),
    missingFirmware: missingFirmware(await kernelLog()),
    checks: await Promise.all(checked.map(checkFile)),
  };
}

/**
 * The names after which a firmware load failed, in the order of the log and each once (kernel
 * `drivers/base/firmware_loader/main.c`: "Direct firmware load for NAME failed with error N").
 */
export function missingFirmware(log: string): string[] {
  const names = [...log.matchAll(/Direct firmware load for (.+?) failed with error/g)].map(
    (match) => match[1]!,
  );
  return [...new Set(names)];
}

async function kernelLog(): Promise<string> {
  try {
    return (await run('dmesg', [])).stdout.toString();
  } catch {
    return ''; // dmesg_restrict or no such program: the report goes without
  }
}

/** The SHA-256 of a file as it can be read now, or why it cannot. */
export async function checkFile(path: string): Promise<FileCheck> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return { path, sha256: hash.digest('hex') };
  } catch (error) {
    return { path, error: describeError(error) };
  }
}
