import { errnoOf, Failure, type FailureKind } from '../../base/errors.ts';

/** An error of reading a block or writing a file as a failure that names the path in the manifest. */
export function failureAt(doing: 'read' | 'write', path: string, cause: unknown): unknown {
  const what = `cannot ${doing} ${path || 'the target'}`;
  if (cause instanceof Failure)
    return new Failure(cause.kind, what, { cause, ...(cause.hint !== undefined && { hint: cause.hint }) });
  const errno = errnoOf(cause);
  return errno === undefined ? cause : new Failure(...readingOf(errno, what, cause));
}

function readingOf(errno: string, what: string, cause: unknown): ConstructorParameters<typeof Failure> {
  const details = (kind: FailureKind, hint: string) => [kind, what, { cause, hint }] as const;
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return [
        ...details('failed', 'make room on its disk and run the command again: what is complete is kept'),
      ];
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return [...details('denied', 'look at the owner and the rights of the directory')];
    case 'EEXIST':
    case 'EISDIR':
    case 'ENOTDIR':
    case 'ENOTEMPTY':
    case 'ELOOP':
      return [
        ...details(
          'conflict',
          'something else lies there; unpack into a directory that nobody else writes to',
        ),
      ];
    default:
      return [...details('failed', 'look at the target directory and its disk')];
  }
}
