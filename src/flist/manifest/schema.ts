/** Columns of the five tables that rfs has (flist format, section 1.2). */
export const tables = {
  inode: ['ino', 'parent', 'name', 'size', 'uid', 'gid', 'mode', 'rdev', 'ctime', 'mtime'],
  extra: ['ino', 'data'],
  block: ['ino', 'id', 'key'],
  tag: ['key', 'value'],
  route: ['start', 'end', 'url'],
} as const;

/** Makes the tables of an empty database. */
export const createTables = `
CREATE TABLE IF NOT EXISTS inode (
    ino INTEGER PRIMARY KEY AUTOINCREMENT,
    parent INTEGER,
    name VARCHAR(255),
    size INTEGER,
    uid INTEGER,
    gid INTEGER,
    mode INTEGER,
    rdev INTEGER,
    ctime INTEGER,
    mtime INTEGER
);
CREATE TABLE IF NOT EXISTS extra (
    ino INTEGER PRIMARY KEY,
    data VARCHAR(4096)
);
CREATE TABLE IF NOT EXISTS block (
    ino INTEGER,
    id VARCHAR(32),
    key VARCHAR(32)
);
CREATE TABLE IF NOT EXISTS tag (
    key VARCHAR(10) PRIMARY KEY,
    value VARCHAR(255)
);
CREATE TABLE IF NOT EXISTS route (
    start INTEGER,
    "end" INTEGER,
    url VARCHAR(2048)
);
`;

/** Made after the rows, which is faster and leaves the indexes compact. */
export const createIndexes = `
CREATE INDEX IF NOT EXISTS parents ON inode (parent);
CREATE INDEX IF NOT EXISTS names ON inode (name);
CREATE INDEX IF NOT EXISTS block_ino ON block (ino);
`;

/**
 * Tables of ours for what those of rfs cannot hold; rfs passes over them. Each is made when it gets its first row.
 * `zos_time` the nanoseconds of `mtime` that are not 0; `zos_link` further names of a hard-linked file and the inode of its
 * first name; `zos_xattr` extended attributes; `zos_name` and `zos_target` the true bytes of what is not UTF-8, for which
 * `inode.name` and `extra.data` hold an escaped form; `zos_prefetch` the blocks `first` to `last` of files that are to be fetched
 * before they are asked for, in the order of `place`.
 */
export const privateTables = {
  zos_time: ['ino', 'mtime_ns'],
  zos_link: ['ino', 'first'],
  zos_xattr: ['ino', 'name', 'value'],
  zos_name: ['ino', 'name'],
  zos_target: ['ino', 'target'],
  zos_prefetch: ['place', 'ino', 'first', 'last'],
} as const;

export type PrivateTable = keyof typeof privateTables;

/** Those that say something of each inode by its number. */
export type InodeTable = Exclude<PrivateTable, 'zos_prefetch'>;

export const createPrivateTable: Readonly<Record<PrivateTable, string>> = {
  zos_time: 'CREATE TABLE zos_time (ino INTEGER PRIMARY KEY, mtime_ns INTEGER NOT NULL)',
  zos_link: 'CREATE TABLE zos_link (ino INTEGER PRIMARY KEY, first INTEGER NOT NULL)',
  zos_xattr:
    'CREATE TABLE zos_xattr (ino INTEGER, name TEXT, value BLOB, PRIMARY KEY (ino, name)) WITHOUT ROWID',
  zos_name: 'CREATE TABLE zos_name (ino INTEGER PRIMARY KEY, name BLOB NOT NULL)',
  zos_target: 'CREATE TABLE zos_target (ino INTEGER PRIMARY KEY, target BLOB NOT NULL)',
  zos_prefetch:
    'CREATE TABLE zos_prefetch (place INTEGER PRIMARY KEY, ino INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL)',
};
