import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A statement that gives rows as arrays. */
export function arrays(database: DatabaseSync, query: string): StatementSync {
  const statement = database.prepare(query);
  statement.setReturnArrays(true);
  return statement;
}

/** As `arrays`, for rows that must lie in that order: sorting would read all of them first, in a damaged table without end. */
export function ordered(database: DatabaseSync, query: string): StatementSync {
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
  if (plan.some(({ detail }) => String(detail).includes('TEMP B-TREE')))
    throw new Error(`its rows are not in order: ${query}`);
  return arrays(database, query);
}

/** The rows of a table that stand beside the inodes, taken one inode after the other. */
export class RowsByIno {
  readonly #table: string;
  readonly #rows: Iterator<unknown>;
  #next: [ino: number, ...values: unknown[]] | undefined;

  /** @param key the columns by which a row is there once: `ino`, or `ino` and others */
  constructor(database: DatabaseSync, table: string, columns: readonly string[], key = 'ino') {
    this.#table = table;
    const query = `SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${key}`;
    this.#rows = ordered(database, query).iterate() as Iterator<unknown>;
    this.#advance();
  }

  /** The row of an inode without its number, and past it; undefined when there is none. Numbers asked for ascend. */
  take(ino: number): unknown[] | undefined {
    while (this.#next !== undefined && this.#next[0] < ino) this.#advance();
    if (this.#next?.[0] !== ino) return undefined;
    const [, ...values] = this.#next;
    this.#advance();
    return values;
  }

  /** As `take`, where every row must be of an inode that is asked for. */
  takeStrictly(ino: number): unknown[] | undefined {
    if (this.#next !== undefined && this.#next[0] < ino) this.finish();
    return this.take(ino);
  }

  /** @throws Error when rows are left */
  finish(): void {
    if (this.#next !== undefined)
      throw new Error(
        `its table "${this.#table}" has a row of the inode ${this.#next[0]}, which is not there`,
      );
  }

  #advance(): void {
    const { value, done } = this.#rows.next();
    if (done) {
      this.#next = undefined;
      return;
    }
    const [ino, ...values] = value as unknown[];
    const number = integer(ino, `${this.#table}.ino`);
    if (this.#next !== undefined && number < this.#next[0]) throw damaged(this.#table);
    this.#next = [number, ...values];
  }
}

/** In a sound table rows come in the order of their number; in a damaged one pages may repeat without an end. */
export function ascending(number: number, previous: number, table: string): number {
  if (number <= previous) throw damaged(table);
  return number;
}

function damaged(table: string): Error {
  return new Error(`its table "${table}" is damaged`);
}

/**
 * A value as a whole number.
 * @throws Error that names the column
 */
export function integer(value: unknown, column: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrongType(value, column, 'an integer');
  return value;
}

/**
 * A value as text.
 * @throws Error that names the column
 */
export function text(value: unknown, column: string): string {
  if (typeof value !== 'string') throw wrongType(value, column, 'text');
  return value;
}

/**
 * A value as bytes.
 * @throws Error that names the column
 */
export function blob(value: unknown, column: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(value, column, 'a BLOB');
  return value;
}

function wrongType(value: unknown, column: string, expected: string): Error {
  return new Error(`a value of ${column} is ${value === null ? 'NULL' : 'of another type'}, not ${expected}`);
}
