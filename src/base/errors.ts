/**
 * What went wrong, in the terms a caller can act on:
 * `usage` the command line; `config` a file the user edits; `not-found` a thing that was named and is not there;
 * `corrupt` bytes that are not what they must be; `hostile` input that tries to leave its bounds;
 * `unavailable` a service or device that does not answer; `timeout` one that answers too late;
 * `denied` missing rights; `missing-tool` a program that is not installed; `conflict` two things that exclude each other;
 * `failed` a step that ran and did not succeed.
 */
export type FailureKind =
  | 'usage'
  | 'config'
  | 'not-found'
  | 'corrupt'
  | 'hostile'
  | 'unavailable'
  | 'timeout'
  | 'denied'
  | 'missing-tool'
  | 'conflict'
  | 'failed';

export interface FailureDetails {
  /** What to do next, as one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The one error of this project: what failed, on what, why, and what to do next. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureKind;
  readonly hint: string | undefined;

  constructor(kind: FailureKind, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.hint = details.hint;
  }
}

/** The text of anything that was thrown, with the causes behind it: `what: why: why`. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (
    let at: unknown = error;
    at !== undefined && at !== null;
    at = at instanceof Error ? at.cause : undefined
  ) {
    const text = at instanceof Error ? at.message : String(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
  }
  return parts.join(': ');
}

/** The errno name (`ENOENT`, …) of a system error, if it is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
