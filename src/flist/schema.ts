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
