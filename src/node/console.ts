import { stripVTControlCharacters } from 'node:util';
import type { NodeReport } from './report.ts';

/** The steps of a boot in the order in which a node reaches them; each is said once on the console. */
export const milestones = [
  'init',
  'stage1',
  'supervisor',
  'udevd',
  'network',
  'flist-modules',
  'flist-firmware',
  'depmod',
  'coldplug',
  'ready',
] as const;
export type Milestone = (typeof milestones)[number];

/** What a node says on its console, one line each. Everything else there comes from the kernel or from programs. */
export type ConsoleLine =
  | {
      readonly kind: 'reached';
      readonly milestone: Milestone;
      readonly values: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'note' | 'warning'; readonly text: string }
  | { readonly kind: 'failed'; readonly unit: string; readonly reason: string }
  | { readonly kind: 'report'; readonly report: NodeReport };

/**
 * The text of a line, without its end: `zos: reached NAME key=value…`, `zos: note TEXT`, `zos: warning TEXT`,
 * `zos: failed UNIT reason` or `zos: report {json}`. Control characters become spaces, and blanks in a value `_`.
 */
export function formatConsoleLine(line: ConsoleLine): string {
  const words = ((): string[] => {
    switch (line.kind) {
      case 'reached':
        return [
          line.milestone,
          ...Object.entries(line.values).map(([key, value]) => `${key}=${value.replace(/\s+/g, '_')}`),
        ];
      case 'failed':
        return [line.unit, line.reason];
      case 'report':
        return [jsonLine(line.report)];
      default:
        return [line.text];
    }
  })();
  return ['zos:', line.kind, ...words].join(' ').replace(/\p{Cc}+/gu, ' ');
}

/** JSON escapes control characters up to U+001F itself. */
function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

/**
 * The line of a node in a line of its console, if there is one; also behind a prompt, which ends without a line feed.
 * A damaged report counts as none.
 */
export function parseConsoleLine(text: string): ConsoleLine | undefined {
  const match = /zos: (reached|note|warning|failed|report) (.+)$/.exec(
    stripVTControlCharacters(text).trimEnd(),
  );
  if (!match) return undefined;
  const [, kind, rest] = match as unknown as [string, ConsoleLine['kind'], string];
  switch (kind) {
    case 'reached':
      return parseReached(rest);
    case 'failed': {
      const [unit = '', ...reason] = rest.split(' ');
      return { kind, unit, reason: reason.join(' ') };
    }
    case 'report':
      return parseReport(rest);
    default:
      return { kind, text: rest };
  }
}

function parseReached(rest: string): ConsoleLine | undefined {
  const [name, ...words] = rest.split(' ');
  const milestone = milestones.find((known) => known === name);
  if (!milestone) return undefined;
  const values = words.map((word) => {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
  });
  return { kind: 'reached', milestone, values: Object.fromEntries(values) };
}

function parseReport(json: string): ConsoleLine | undefined {
  try {
    const report: unknown = JSON.parse(json);
    if (report === null || typeof report !== 'object') return undefined;
    return { kind: 'report', report: report as NodeReport };
  } catch {
    return undefined;
  }
}
