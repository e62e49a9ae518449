import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { readTextIfPresent } from '../base/files.ts';
import { paths } from './paths.ts';
import type { ServiceState } from './service.ts';

/** One service in `/run/zos/status.json`, which the supervisor writes anew at every change. */
export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState['name'];
  /** Why it is in this state, where the state alone does not say. */
  readonly reason?: string;
  /** The process that leads its process group. */
  readonly pid?: number;
}

/** Writes the status before anything else happens, so that a unit that starts next sees it. The file lies in memory. */
export function writeStatus(services: readonly ServiceStatus[]): void {
  mkdirSync(dirname(paths.status), { recursive: true });
  const temporary = `${paths.status}.tmp`;
  writeFileSync(temporary, `${JSON.stringify({ services }, undefined, 1)}\n`);
  renameSync(temporary, paths.status);
}

/** The services as the supervisor last wrote them; none when it never did. */
export async function readStatus(): Promise<ServiceStatus[]> {
  const text = await readTextIfPresent(paths.status);
  return text === undefined ? [] : (JSON.parse(text) as { services: ServiceStatus[] }).services;
}
