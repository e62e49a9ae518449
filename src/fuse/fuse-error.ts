/**
 * Why FUSE cannot be used: `unavailable` no FUSE on this machine; `denied` missing rights; `missing-tool` no mount(8);
 * `not-found` no such directory; `conflict` the directory is in use; `failed` mount(8) or the kernel refused.
 */
export type FuseErrorKind = 'unavailable' | 'denied' | 'missing-tool' | 'not-found' | 'conflict' | 'failed';

export interface FuseErrorDetails {
  /** What to do next, as one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The error of this room: what failed, on what, and what to do next. */
export class FuseError extends Error {
  override readonly name = 'FuseError';
  readonly kind: FuseErrorKind;
  readonly hint: string | undefined;

  constructor(kind: FuseErrorKind, message: string, details: FuseErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.hint = details.hint;
  }
}
