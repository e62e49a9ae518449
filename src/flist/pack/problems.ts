import { describeError, Failure } from '../../base/errors.ts';

/** How many files that could not be packed an error names. */
const mostNamed = 10;

/** What could not be packed. The other files go on, so that one run names all of them; but nothing is published then. */
export class PackProblems {
  readonly #failures: Failure[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @throws what is no `Failure`: a defect of this program. */
  add(path: string, error: unknown): void {
    if (!(error instanceof Failure)) throw error;
    this.#count++;
    if (this.#failures.length < mostNamed) this.#failures.push(named(path, error));
  }

  /** @throws Failure that names what could not be packed, when there is any. */
  throwIfAny(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    if (this.#count === 1) throw first;
    const more = this.#count > mostNamed ? [`and ${this.#count - mostNamed} more`] : [];
    throw new Failure(first.kind, `${this.#count} files could not be packed`, {
      cause: [...this.#failures.map(describeError), ...more].join('; '),
      hint: 'nothing was published; the blocks of all other files are stored, so the next run is fast',
    });
  }
}

function named(path: string, failure: Failure): Failure {
  const { kind, message, hint, cause } = failure;
  if (message.includes(path)) return failure;
  return new Failure(kind, `${path}: ${message}`, { cause, ...(hint !== undefined && { hint }) });
}
