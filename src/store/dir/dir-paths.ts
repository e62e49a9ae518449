import { errnoOf, Failure, type FailureKind } from '../../base/errors.ts';
import type { BlockId } from '../store.ts';

/** The directory into which a block is put. */
export function shardPath(root: string, id: BlockId): string {
  return `${root}/${id.slice(0, 2)}`;
}

/** Where a block is put. */
export function shardedPath(root: string, id: BlockId): string {
  return `${shardPath(root, id)}/${id}`;
}

/** Where rfs put a block before July 2024. */
export function flatPath(root: string, id: BlockId): string {
  return `${root}/${id}`;
}

/** What a directory store says when the file system refuses something. */
export function directoryFailure(address: string, what: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  const { kind, hint } = reading(errnoOf(cause));
  return new Failure(kind, `${address}: ${what}`, { cause, hint });
}

function reading(errno: string | undefined): { kind: FailureKind; hint: string } {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return {
        kind: 'failed',
        hint: 'make room on its disk and run the command again: what is stored is kept',
      };
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return { kind: 'denied', hint: 'look at the owner and the rights of the directory' };
    default:
      return { kind: 'unavailable', hint: 'look at the path of the store, its rights and its disk' };
  }
}
