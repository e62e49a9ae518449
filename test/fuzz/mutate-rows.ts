import { DatabaseSync } from 'node:sqlite';
import { createPrivateTable, privateTables, tables } from '../../src/flist/manifest/schema.ts';
import type { Random } from './random.ts';

const values = [
  'NULL',
  '0',
  '-1',
  '1',
  '2',
  '3',
  '4',
  '33188', // 0100644
  '16877', // 040755
  '41471', // 0120777
  '0.5',
  '524288',
  '524289',
  '1000000000',
  '4294967295',
  '4294967296',
  '9007199254740992',
  '9223372036854775807',
  '-9223372036854775808',
  "''",
  "'.'",
  "'..'",
  "'/'",
  "'a/b'",
  "'.a'",
  "'.unpacking-0-1'",
  "'../../outside'",
  "'/etc/passwd'",
  "'dir'",
  "'file'",
  "'a' || char(0) || 'b'",
  "x''",
  "x'2e2e'",
  "x'ff'",
  "x'00'",
  'zeroblob(32)',
  "x'abababababababababababababababababababababababababababababababab'",
  'zeroblob(256)',
  'zeroblob(100000)',
  "printf('%.*c', 300, 'n')",
  '(SELECT max(ino) FROM inode)',
  '(SELECT min(ino) FROM inode WHERE ino > 1)',
];
const allTables = { ...tables, ...privateTables };

/** Changes rows of the manifest in a file as somebody does who means harm: by SQL. */
export function mutateRows(path: string, random: Random): void {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
    for (let left = 1 + random.below(6); left > 0; left--) {
      try {
        database.exec(statement(random));
      } catch {
        // A change that SQLite does not make is none.
      }
    }
  } finally {
    database.close();
  }
}

function statement(random: Random): string {
  const table = random.pick(Object.keys(allTables) as (keyof typeof allTables)[]);
  const columns = allTables[table].map((column) => `"${column}"`);
  const some = `WHERE ${columns.includes('"ino"') ? 'ino' : 'rowid'} % ${1 + random.below(5)} = ${random.below(3)}`;
  const value = () => random.pick(values);
  switch (random.below(8)) {
    case 0:
      return `INSERT INTO ${table} VALUES (${columns.map(value).join(', ')})`;
    case 1:
      return `INSERT INTO ${table} SELECT ${columns.map((column) => (random.below(4) === 0 ? value() : column)).join(', ')} FROM ${table} ${some}`;
    case 2:
      return `DELETE FROM ${table} ${some}`;
    case 3:
      return table in privateTables
        ? createPrivateTable[table as keyof typeof privateTables]
        : `DROP INDEX IF EXISTS ${random.pick(['parents', 'names', 'block_ino'])}`;
    case 4:
      return random.pick([
        `DROP TABLE ${table}`,
        `ALTER TABLE ${table} RENAME COLUMN ${random.pick(columns)} TO other`,
        `ALTER TABLE ${table} ADD COLUMN other DEFAULT 1`,
        `CREATE TABLE copy AS SELECT * FROM ${table}; DROP TABLE ${table}; ALTER TABLE copy RENAME TO ${table}`,
        `DROP TABLE ${table}; CREATE VIEW ${table} AS SELECT * FROM inode`,
      ]);
    default:
      return `UPDATE ${table} SET ${random.pick(columns)} = ${value()} ${some}`;
  }
}
