import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { compareBytes, encodeName } from '../../base/names.ts';
import { type BlockRef, blockSize } from '../block/block-codec.ts';
import type { Inode } from './inode.ts';
import { maxName, maxPath, Violation } from './manifest-rules.ts';
import type { PrefetchRange } from './prefetch-list.ts';
import { publicText } from './public-name.ts';
import {
  createIndexes,
  createPrivateTable,
  createTables,
  type PrivateTable,
  privateTables,
  type tables,
} from './schema.ts';

/** The SQLite side of writing a manifest: rows that were checked, into a new file. Equal rows give equal bytes. */
export class ManifestDatabase {
  readonly #database: DatabaseSync;
  readonly #inserts = new Map<string, StatementSync>();

  /** @param path of a file that is not there yet, and lost when the program ends before `commit`. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(
      'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE',
    );
    this.#database.exec(
      'PRAGMA page_size = 4096; PRAGMA encoding = "UTF-8"; PRAGMA cache_size = -16000; BEGIN',
    );
    this.#database.exec(createTables);
  }

  insertInode(inode: Inode, refs: readonly BlockRef[]): void {
    const { ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime, mtimeNs, target, link, xattrs } =
      inode;
    const publicName = this.#publicText('zos_name', ino, name, maxName);
    this.#insert('inode', ino, parent, publicName, size, uid, gid, mode, rdev, ctime, mtime);
    if (target !== undefined)
      this.#insert('extra', ino, Buffer.from(this.#publicText('zos_target', ino, target, maxPath)));
    for (const { id, key } of refs)
      this.#insert('block', ino, Buffer.from(id, 'hex'), Buffer.from(key, 'hex'));
    if (mtimeNs) this.#insert('zos_time', ino, mtimeNs);
    if (link !== undefined) this.#insert('zos_link', ino, link);
    for (const [attribute, value] of [...(xattrs ?? [])].sort(([a], [b]) => compareBytes(a, b)))
      this.#insert('zos_xattr', ino, attribute, value);
  }

  insertTag(key: string, value: string): void {
    this.#insert('tag', key, value);
  }

  insertRoute(start: number, end: number, url: string): void {
    this.#insert('route', start, end, url);
  }

  insertPrefetch(place: number, { ino, first, last }: PrefetchRange): void {
    this.#insert('zos_prefetch', place, ino, first, last);
  }

  /** Ends the rows: makes the indexes and checks what needs all of them. @throws Violation */
  commit(): void {
    this.#database.exec(createIndexes);
    if (this.#inserts.has('zos_name')) this.#settleNames();
    if (this.#inserts.has('zos_link')) this.#checkLinks();
    if (this.#inserts.has('zos_prefetch')) this.#checkPrefetch();
    this.#database.exec('COMMIT');
    this.#database.close();
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  /** The text for a column that rfs reads; where it is not the true one, that goes into a private table. */
  #publicText(table: 'zos_name' | 'zos_target', ino: number, text: string, limit: number): string {
    if (text.isWellFormed()) return text;
    const bytes = encodeName(text);
    this.#insert(table, ino, bytes);
    return publicText(bytes, limit);
  }

  #insert(table: keyof typeof tables | PrivateTable, ...values: (number | string | Uint8Array)[]): void {
    let insert = this.#inserts.get(table);
    if (insert === undefined) {
      if (table in privateTables) this.#database.exec(createPrivateTable[table as PrivateTable]);
      insert = this.#database.prepare(`INSERT INTO ${table} VALUES (${values.map(() => '?').join(', ')})`);
      this.#inserts.set(table, insert);
    }
    insert.run(...values);
  }

  /** Gives another public name to those that a sibling has too. */
  #settleNames(): void {
    const place = this.#database.prepare('SELECT parent, name FROM inode WHERE ino = ?');
    const namesakes = this.#database.prepare(
      'SELECT count(*) AS found FROM inode WHERE +parent = ? AND name = ? AND ino <> ?',
    );
    const rename = this.#database.prepare('UPDATE inode SET name = ? WHERE ino = ?');
    const escaped = this.#database.prepare('SELECT ino, name FROM zos_name ORDER BY ino').iterate();
    for (const { ino, name: bytes } of escaped as Iterable<{ ino: number; name: Uint8Array }>) {
      const { parent, name } = place.get(ino) as { parent: number; name: string };
      let free = name;
      for (let attempt = 1; namesakes.get(parent, free, ino)!['found'] !== 0; attempt++)
        free = publicText(bytes, maxName, attempt);
      if (free !== name) rename.run(free, ino);
    }
  }

  /** @throws Violation for a hard link whose file is another one than that of its first name. */
  #checkLinks(): void {
    const differing = this.#database
      .prepare(
        `SELECT zos_link.ino AS ino, first FROM zos_link
         JOIN inode AS a ON a.ino = zos_link.ino LEFT JOIN inode AS b ON b.ino = first
         WHERE (a.mode, a.uid, a.gid, a.size, a.ctime, a.mtime, a.rdev) IS NOT (b.mode, b.uid, b.gid, b.size, b.ctime, b.mtime, b.rdev)
            OR first IN (SELECT ino FROM zos_link)`,
      )
      .get();
    if (differing !== undefined) throw differentFile(differing['ino'], differing['first']);
    const queries = ['SELECT id, key FROM block WHERE ino = ? ORDER BY rowid'];
    if (this.#inserts.has('zos_time')) queries.push('SELECT mtime_ns FROM zos_time WHERE ino = ?');
    if (this.#inserts.has('zos_xattr'))
      queries.push('SELECT name, value FROM zos_xattr WHERE ino = ? ORDER BY name');
    const details = queries.map((query) => this.#database.prepare(query));
    const links = this.#database.prepare('SELECT ino, first FROM zos_link ORDER BY ino');
    for (const { ino, first } of links.iterate() as Iterable<{ ino: number; first: number }>)
      for (const detail of details)
        if (!haveEqualRows(detail.all(ino), detail.all(first))) throw differentFile(ino, first);
  }

  /** @throws Violation for blocks to fetch ahead that are not there, or are named twice */
  #checkPrefetch(): void {
    const wrong = this.#database
      .prepare(
        `SELECT ino FROM zos_prefetch LEFT JOIN inode USING (ino)
         WHERE (mode & 61440) IS NOT 32768 OR last >= (size + ${blockSize - 1}) / ${blockSize}
         UNION ALL
         SELECT ino FROM (
           SELECT ino, first, max(last) OVER (
             PARTITION BY ino ORDER BY first, place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS covered FROM zos_prefetch
         ) WHERE first <= covered`,
      )
      .get();
    if (wrong !== undefined)
      throw new Violation(
        `inode ${wrong['ino']} has not the blocks that are to be fetched ahead, or has them twice`,
      );
  }
}

function differentFile(ino: unknown, first: unknown): Violation {
  return new Violation(`inode ${ino} is a hard link to ${first}, which is not the same file`);
}

function haveEqualRows(a: readonly object[], b: readonly object[]): boolean {
  const text = (rows: readonly object[]) =>
    JSON.stringify(rows, (_, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    );
  return text(a) === text(b);
}
