import type { Tree } from '../tree/tree.ts';
import { firmwareDirectory, uncompressedName } from './firmware.ts';
import { isPattern, matchesPath } from './glob.ts';
import { walkLinks } from './walk-links.ts';

/** A driver and the firmware names that it may ask for (`MODULE_FIRMWARE`). */
export interface FirmwareUser {
  readonly module: string;
  readonly firmware: readonly string[];
}

export interface FirmwareRequest {
  /** The name below the firmware directory; some drivers give a pattern. */
  readonly firmware: string;
  readonly modules: readonly string[];
  /** The files that answer it, as paths of the tree. */
  readonly files: readonly string[];
}

/** Names are what drivers may ask for, not what they need: a driver often lists versions of which one is enough. */
export interface FirmwareAudit {
  /** Number of different names. */
  readonly asked: number;
  readonly present: readonly FirmwareRequest[];
  readonly missing: readonly FirmwareRequest[];
}

/**
 * Compares what drivers may ask for with the firmware of a tree, searched as the kernel searches: `updates/<release>`,
 * `updates`, `<release>`, then the directory itself; plain, `.zst` and `.xz` (Linux, firmware_loader).
 */
export function auditFirmware(users: Iterable<FirmwareUser>, tree: Tree, release?: string): FirmwareAudit {
  const modulesByName = new Map<string, Set<string>>();
  for (const { module, firmware } of users)
    for (const name of firmware) modulesByName.set(name, (modulesByName.get(name) ?? new Set()).add(module));
  const requests = [...modulesByName].map(([firmware, modules]) => ({
    firmware,
    modules: [...modules],
    files: isPattern(firmware) ? matchingFiles(tree, firmware) : answers(tree, firmware, release),
  }));
  return {
    asked: requests.length,
    present: requests.filter(({ files }) => files.length > 0),
    missing: requests.filter(({ files }) => files.length === 0),
  };
}

function answers(tree: Tree, firmware: string, release: string | undefined): string[] {
  const places = release === undefined ? ['updates', ''] : [`updates/${release}`, 'updates', release, ''];
  for (const suffix of ['', '.zst', '.xz'])
    for (const place of places) {
      const path = [firmwareDirectory, place, firmware + suffix].filter((part) => part !== '').join('/');
      const { end } = walkLinks(tree, path);
      if (end !== undefined && tree.file(end)) return [path];
    }
  return [];
}

function matchingFiles(tree: Tree, pattern: string): string[] {
  const files: string[] = [];
  for (const path of tree.paths()) {
    if (!path.startsWith(`${firmwareDirectory}/`)) continue;
    const end = matchesPath(uncompressedName(path.slice(firmwareDirectory.length + 1)), pattern)
      ? walkLinks(tree, path).end
      : undefined;
    if (end !== undefined && tree.file(end)) files.push(path);
  }
  return files;
}
