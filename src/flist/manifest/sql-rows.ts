import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** A statement that gives rows as arrays. */
export function arrays(database: DatabaseSync, query: string): StatementSync {
  const statement = database.prepare(query);
  statement.setReturnArrays(true);
  return statement;
}

/** As `arrays`, for rows that must lie in that order: sorting would read all of them first, in a damaged table without end. */
function ordered(database: DatabaseSync, query: string): StatementSync {
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
  if (plan.some(({ detail }) => String(detail).includes('TEMP B-TREE')))
    throw new Error(`its rows are not in order: ${query}`);
  return arrays(database, query);
}

/** Rows that are read at one time: one by one takes twice as long. */
const rowsAtOnce = 256;
const least = -(2n ** 63n);

/**
 * The rows of a table in the order of a whole number that each has once, which is the first of their values.
 * @throws Error when they do not lie in that order, or repeat, as in a damaged table
 */
export function* rowsInOrder(
  database: DatabaseSync,
  table: string,
  [key, ...columns]: readonly [key: string, ...columns: string[]],
): Generator<[number, ...unknown[]]> {
  const statement = ordered(
    database,
    `SELECT ${[key, ...columns].join(', ')} FROM ${table} WHERE ${key} >= ? ORDER BY ${key} LIMIT ${rowsAtOnce}`,
  );
  let previous = Number.NEGATIVE_INFINITY;
  for (let next: number | bigint = least; ; next = previous + 1) {
    const rows = statement.all(next) as unknown as [number, ...unknown[]][];
    for (const row of rows) {
      previous = ascending(integer(row[0], `${table}.${key}`), previous, table);
      yield row;
    }
    if (rows.length < rowsAtOnce) return;
  }
}

/** The rows of a table that stand beside the inodes, taken one inode after the other. */
export class RowsByIno {
  readonly #table: string;
  readonly #rows: Iterator<unknown>;
  #next: [ino: number, ...values: unknown[]] | undefined;

  /** @param further what tells the rows of one inode from each other, where it may have several */
  constructor(
    database: DatabaseSync,
    table: string,
    columns: readonly ['ino', ...string[]],
    further?: string,
  ) {
    this.#table = table;
    const query = `SELECT ${columns.join(', ')} FROM ${table} ORDER BY ino, ${further}`;
    this.#rows =
      further === undefined ? rowsInOrder(database, table, columns) : ordered(database, query).iterate();
    this.#advance();
  }

  /** The row of an inode, and past it; undefined when there is none. Numbers asked for ascend. */
  take(ino: number): [ino: number, ...values: unknown[]] | undefined {
    while (this.#next !== undefined && this.#next[0] < ino) this.#advance();
    const row = this.#next;
    if (row?.[0] !== ino) return undefined;
    this.#advance();
    return row;
  }

  /** As `take`, where every row must be of an inode that is asked for. */
  takeStrictly(ino: number): [ino: number, ...values: unknown[]] | undefined {
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
    const row = value as [number, ...unknown[]];
    if (integer(row[0], `${this.#table}.ino`) < (this.#next?.[0] ?? Number.NEGATIVE_INFINITY))
      throw damaged(this.#table);
    this.#next = row;
  }
}

/** In a sound table rows come in the order of their number; in a damaged one pages may repeat without an end. */
function ascending(number: number, previous: number, table: string): number {
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
