import { describeError, Failure, type FailureKind } from './errors.ts';

/** A `Failure` on its way between threads, which would lose its class. */
export interface SentFailure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly hint: string | undefined;
  readonly cause: string | undefined;
}

/** What was thrown, as it can be sent to another thread. */
export function sentFailure(error: unknown): SentFailure {
  if (!(error instanceof Failure))
    return { kind: 'failed', message: describeError(error), hint: undefined, cause: undefined };
  const { kind, message, hint, cause } = error;
  return { kind, message, hint, cause: cause === undefined ? undefined : describeError(cause) };
}

/** The failure that another thread sent. */
export function receivedFailure({ kind, message, hint, cause }: SentFailure): Failure {
  return new Failure(kind, message, {
    ...(hint !== undefined && { hint }),
    ...(cause !== undefined && { cause }),
  });
}
