import { Failure } from '../base/errors.ts';

/** Says what is wrong with one archive. Every failure names it. */
export class ArchiveFailures {
  readonly #archive: string;

  constructor(archive: string) {
    this.#archive = archive;
  }

  /** A failure about this archive. */
  failure(kind: 'corrupt' | 'hostile' | 'failed', message: string, hint?: string): Failure {
    return new Failure(kind, `${this.#archive}: ${message}`, hint === undefined ? {} : { hint });
  }

  /** Runs a step; when it fails, the failure names the archive. */
  named<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw new Failure(error.kind, `${this.#archive}: ${error.message}`, {
        cause: error.cause,
        ...(error.hint !== undefined && { hint: error.hint }),
      });
    }
  }
}
