import { closestName } from '../base/names.ts';
import { configFailure, configLines, type Place } from './config-lines.ts';

/** `image`: into the initramfs and the flist. `flist`: only into the flist. */
export type FirmwareTarget = 'image' | 'flist';

/** A line of `config/firmware.conf`. */
export interface FirmwareEntry {
  readonly target: FirmwareTarget;
  readonly name: string;
  /** Packages that may bring the files; which of them does differs from suite to suite. */
  readonly packages: readonly string[];
  /** Which files of those packages, as patterns below the firmware directory (`matchesPath`). */
  readonly patterns: readonly string[];
  readonly place: Place;
}

/**
 * Reads `config/firmware.conf`, the only authority on firmware. A line is
 *
 *     image:NAME  PACKAGE[|PACKAGE…]  [PATTERN…]
 *     flist:NAME  PACKAGE[|PACKAGE…]  [PATTERN…]
 *
 * with `#` for comments. A pattern is a path below `usr/lib/firmware` in which `*`, `?` and `[…]` stay within one
 * component and a component `**` is any number of them; without one it is `NAME/**`.
 * @throws Failure `config` with file and line for anything else and for a line that repeats target and name.
 */
export function parseFirmwareConf(text: string, file = 'config/firmware.conf'): FirmwareEntry[] {
  const entries: FirmwareEntry[] = [];
  for (const { place, words } of configLines(text, file)) {
    const entry = parseEntry(place, words);
    const earlier = entries.find(({ target, name }) => target === entry.target && name === entry.name);
    if (earlier)
      throw configFailure(
        place,
        `${entry.target}:${entry.name} is already listed in line ${earlier.place.line}`,
        'give one of them another name, and patterns of its own',
      );
    entries.push(entry);
  }
  return entries;
}

function parseEntry(place: Place, [word, packages, ...patterns]: readonly string[]): FirmwareEntry {
  const [, target, name] = /^([^:]*):(.+)$/.exec(word!) ?? [];
  if ((target !== 'image' && target !== 'flist') || name === undefined) {
    const meant = closestName(target ?? word!, ['image', 'flist']);
    throw configFailure(
      place,
      `${word} is not image:NAME or flist:NAME`,
      `write ${meant ?? 'flist'}:${name ?? 'NAME'} PACKAGE`,
    );
  }
  if (packages === undefined)
    throw configFailure(place, `${word} names no package`, `write ${word} firmware-${name}, say`);
  const alternatives = packages.split('|');
  const wrong = alternatives.find((alternative) => !/^[a-z0-9][a-z0-9+.-]*$/.test(alternative));
  if (wrong !== undefined)
    throw configFailure(
      place,
      `${JSON.stringify(wrong)} is not a package name`,
      'write PACKAGE|PACKAGE without blanks',
    );
  for (const pattern of patterns) checkPattern(place, pattern);
  return {
    target,
    name,
    packages: alternatives,
    patterns: patterns.length > 0 ? patterns : [`${name}/**`],
    place,
  };
}

function checkPattern(place: Place, pattern: string): void {
  const components = pattern.split('/');
  if (!components.some((component) => component === '' || component === '.' || component === '..')) return;
  throw configFailure(
    place,
    `${pattern} is not a pattern below the firmware directory`,
    'write it relative to usr/lib/firmware, such as bnx2/*.fw',
  );
}
