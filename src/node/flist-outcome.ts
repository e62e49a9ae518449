import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfPresent, writeAtomic } from '../base/files.ts';
import { paths } from './paths.ts';

/** The two flists that a node mounts over its own tree. */
export const flistKinds = ['modules', 'firmware'] as const;
export type FlistKind = (typeof flistKinds)[number];

/**
 * How a flist of the node ended. `off`: nobody wants it; `unavailable`: wanted, and it did not come or could not be
 * mounted; `refused`: it came, and mounting it would make the node worse.
 */
export type FlistOutcome =
  | { readonly state: 'mounted'; readonly manifest: string }
  | { readonly state: 'off'; readonly detail: string }
  | { readonly state: 'unavailable' | 'refused'; readonly detail: string; readonly manifest?: string };

const outcomeFile = (kind: FlistKind) => join(paths.flistState, `${kind}.json`);

/** Keeps the outcome for the report, and says to the unit's test that there is one. */
export async function settleFlist(kind: FlistKind, outcome: FlistOutcome): Promise<void> {
  await writeAtomic(outcomeFile(kind), `${JSON.stringify(outcome)}\n`, { sync: false });
  await writeAtomic(join(paths.settled, `flist-${kind}`), `${process.pid}\n`, { sync: false });
}

/** The outcome so far; a flist that nothing is known of counts as unavailable. */
export async function readOutcome(kind: FlistKind): Promise<FlistOutcome> {
  const text = await readTextIfPresent(outcomeFile(kind));
  if (text === undefined) return { state: 'unavailable', detail: 'it is still being waited for' };
  return JSON.parse(text) as FlistOutcome;
}

/** Forgets the outcome, at the start of another try. */
export async function clearOutcome(kind: FlistKind): Promise<void> {
  await rm(outcomeFile(kind), { force: true });
}
