import { Failure } from './errors.ts';

/** A number of bytes for people: `0 B`, `1.5 KiB`, `12.1 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit++;
  } while (value >= 1024 && unit < units.length - 1);
  return `${value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`;
}

/** A duration in milliseconds for people: `8 ms`, `1.25 s`, `2 min 05 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}

const unitMilliseconds = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * Reads a duration as people write it, `50ms`, `90s`, `30m`, `24h`, `7d` or `0`, in milliseconds.
 * @throws Failure `usage`
 */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|[smhd])$/.exec(text) ?? [];
  if (text === '0') return 0;
  if (digits === undefined)
    throw new Failure('usage', `${JSON.stringify(text)} is no duration`, {
      hint: 'write a number with its unit: 50ms, 90s, 30m, 24h or 7d',
    });
  return Number(digits) * unitMilliseconds[unit as keyof typeof unitMilliseconds];
}

const unitBytes = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
} as const;

/**
 * Reads a number of bytes as people write it: `512`, `90kB`, `1.5MiB`.
 * @throws Failure `usage`
 */
export function parseBytes(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)([kmg]i?b|b)?$/i.exec(text) ?? [];
  if (digits === undefined)
    throw new Failure('usage', `${JSON.stringify(text)} is no number of bytes`, {
      hint: 'write a number with its unit: 512B, 90kB, 1.5MiB or 2GB',
    });
  return Math.round(Number(digits) * unitBytes[unit.toLowerCase() as keyof typeof unitBytes]);
}
