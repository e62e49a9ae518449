import { Failure } from '../base/errors.ts';
import { FuseError } from '../fuse/fuse-error.ts';

/** An error of the FUSE room, which stands alone, as one of this program; anything else as it is. */
export function asFailure(error: unknown): unknown {
  if (!(error instanceof FuseError)) return error;
  return new Failure(error.kind, error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    cause: error.cause,
  });
}
