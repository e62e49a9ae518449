import { Failure } from '../../base/errors.ts';

/** What machine an image is for, in the words of Go: `linux`, `amd64`, `v8` (OCI image spec, "Image Index"). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | null | undefined;
}

/** Other names of architectures, with the variant that they mean. */
const aliases = new Map<string, readonly [architecture: string, variant?: string]>([
  ['x86_64', ['amd64']],
  ['x64', ['amd64']],
  ['i386', ['386']],
  ['i686', ['386']],
  ['ia32', ['386']],
  ['aarch64', ['arm64']],
  ['armhf', ['arm', 'v7']],
  ['armv7l', ['arm', 'v7']],
  ['armel', ['arm', 'v6']],
  ['ppc64el', ['ppc64le']],
  ['loongarch64', ['loong64']],
]);

/** What an architecture without a variant is. */
const baseline = new Map([
  ['arm', 7],
  ['arm64', 8],
  ['amd64', 1],
]);

/**
 * Reads `os/architecture[/variant]`; the operating system may be left out.
 * @throws Failure `usage`.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  const [os, architecture, variant] = parts.length === 1 ? ['linux', ...parts] : parts;
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw new Failure('usage', `${JSON.stringify(text)} is no platform`, {
      hint: 'write os/architecture[/variant], for example linux/amd64 or linux/arm/v7',
    });
  return normal({ os: os!, architecture: architecture!, ...(variant !== undefined && { variant }) });
}

/** The platform of this machine. */
export function machinePlatform(arch: string = process.arch): Platform {
  return normal({ os: 'linux', architecture: arch === 'ppc64' ? 'ppc64le' : arch });
}

/** The platform as people write it. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normal(platform);
  return [os, architecture, ...(variant ? [variant] : [])].join('/');
}

/** One spelling for one platform: no alias, no variant that says nothing. */
function normal({ os, architecture, variant }: Platform): Platform {
  const [name, meant] = aliases.get(architecture) ?? [architecture];
  const level = variant || meant;
  const says = level !== undefined && level !== `v${baseline.get(name)}`;
  return { os, architecture: name, ...((says || name === 'arm') && level && { variant: level }) };
}

/**
 * The candidate that runs best on a platform: of the same system and architecture, and of the highest variant that is not
 * above the platform's own. The first of equal ones; undefined when none runs.
 */
export function bestFor<T extends { readonly platform?: Platform | null | undefined }>(
  wanted: Platform,
  candidates: readonly T[],
): T | undefined {
  let best: T | undefined;
  let bestLevel = -1;
  for (const candidate of candidates) {
    const level = candidate.platform ? suitability(normal(wanted), normal(candidate.platform)) : -1;
    if (level > bestLevel) [best, bestLevel] = [candidate, level];
  }
  return best;
}

/** Whether an image of a platform runs on another one. */
export function runsOn(wanted: Platform, has: Platform): boolean {
  return suitability(normal(wanted), normal(has)) >= 0;
}

/** How well `has` serves `wanted`; below zero for not at all. */
function suitability(wanted: Platform, has: Platform): number {
  if (wanted.os !== has.os || wanted.architecture !== has.architecture) return -1;
  if ((wanted.variant ?? '') === (has.variant ?? '')) return 1000;
  const [most, level] = [levelOf(wanted), levelOf(has)];
  return level <= most ? level : -1;
}

/** The number of a variant; a variant without one fits only itself. */
function levelOf({ architecture, variant }: Platform): number {
  if (!variant) return baseline.get(architecture) ?? 0;
  const number = /^v(\d{1,2})/.exec(variant)?.[1];
  return number === undefined ? Number.NaN : Number(number);
}
