import { isUtf8 } from 'node:buffer';
import type { DatabaseSync } from 'node:sqlite';
import type { NewInode } from './manifest-builder.ts';
import { type InodeTable, privateTables } from './schema.ts';
import { blob, integer, RowsByIno, text } from './sql-rows.ts';

/** What the private tables of a manifest say of its inodes, taken one inode after the other. */
export class PrivateRows {
  readonly #tables: Partial<Record<InodeTable, RowsByIno>> = {};

  /** @param present the private tables that the manifest has */
  constructor(database: DatabaseSync, present: readonly InodeTable[]) {
    for (const table of present) {
      const further = table === 'zos_xattr' ? 'name' : undefined;
      this.#tables[table] = new RowsByIno(database, table, privateTables[table], further);
    }
  }

  /** @throws Error for a value that cannot be true, or a row of an inode that is not there */
  take(ino: number): Partial<NewInode> {
    const { zos_time, zos_link, zos_xattr, zos_name, zos_target } = this.#tables;
    const [, time] = zos_time?.takeStrictly(ino) ?? [];
    const [, link] = zos_link?.takeStrictly(ino) ?? [];
    const [, name] = zos_name?.takeStrictly(ino) ?? [];
    const [, target] = zos_target?.takeStrictly(ino) ?? [];
    return {
      ...(time !== undefined && { mtimeNs: integer(time, 'zos_time.mtime_ns') }),
      ...(link !== undefined && { link: integer(link, 'zos_link.first') }),
      ...(name !== undefined && { name: notUtf8(name, 'zos_name.name') }),
      ...(target !== undefined && { target: notUtf8(target, 'zos_target.target') }),
      ...(zos_xattr !== undefined && { xattrs: takeXattrs(zos_xattr, ino) }),
    };
  }

  /** @throws Error when there are rows of inodes that are not there */
  finish(): void {
    for (const rows of Object.values(this.#tables)) rows.finish();
  }
}

function takeXattrs(rows: RowsByIno, ino: number): Map<string, Uint8Array> {
  const xattrs = new Map<string, Uint8Array>();
  for (let row = rows.takeStrictly(ino); row !== undefined; row = rows.take(ino)) {
    const name = text(row[1], 'zos_xattr.name');
    if (xattrs.has(name)) throw new Error(`inode ${ino} has the extended attribute ${name} twice`);
    xattrs.set(name, blob(row[2], 'zos_xattr.value'));
  }
  return xattrs;
}

/** What is UTF-8 stands in the columns that rfs reads; here it would be a second truth. */
function notUtf8(value: unknown, column: string): Uint8Array {
  const bytes = blob(value, column);
  if (isUtf8(bytes)) throw new Error(`a value of ${column} is UTF-8`);
  return bytes;
}
