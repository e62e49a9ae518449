import { readFileSync } from 'node:fs';

let loaded: Promise<typeof import('snappy')> | undefined;

/**
 * npm `snappy`, loaded once. Where there is no `/usr/bin/ldd`, it asks Node.js for a report to learn which libc it has to fit. A report
 * waits for all threads, and for ever for one that reads `/dev/fuse`; so it is told what the report would say.
 * @throws Error where the addon is not there
 */
export function loadSnappy(): Promise<typeof import('snappy')> {
  loaded ??= withoutReport(() => import('snappy'));
  return loaded;
}

async function withoutReport<T>(load: () => Promise<T>): Promise<T> {
  const { report } = process;
  const { getReport } = report;
  report.getReport = () => ({ sharedObjects: mappedFiles() });
  try {
    return await load();
  } finally {
    report.getReport = getReport;
  }
}

/** The paths of the files that this process has mapped, with whatever libc is among them. */
function mappedFiles(): string[] {
  try {
    return readFileSync('/proc/self/maps', 'utf8').match(/(?<= )\/.*$/gm) ?? [];
  } catch {
    return [];
  }
}
