import { readdirSync, renameSync, unlinkSync } from 'node:fs';
import { sha256 } from '../base/digest.ts';
import { errnoOf } from '../base/errors.ts';
import type { CacheDirectory } from './cache-directory.ts';
import { readWhole, writeNew } from './cache-files.ts';
import { NameTable, shortName } from './name-table.ts';
import { digestSize, fileName, type PlainFile } from './plain-file.ts';

const shard = ['state', 'pins'] as const;
const ending = '.pin';

/** A flist whose files are never evicted. */
export interface Pin {
  /** What was pinned: the path of a flist. */
  readonly flist: string;
  /** Names of blocks and files, 32 bytes each. */
  readonly names: Buffer;
}

/**
 * Keeps the files of a flist in a cache, those that are there and those that will be; in the place of what was pinned by that path
 * before. A pin is a file `state/pins/DIGEST.pin`: a line with the path as JSON, and names.
 * @returns how many names are pinned.
 * @throws what the system says.
 */
export function pin(directory: CacheDirectory, flist: string, files: Iterable<PlainFile>): number {
  const names = new Set<string>();
  for (const file of files) {
    if (file.count > 1) names.add(fileName(file));
    for (let i = 0; i < file.count; i++) names.add(file.block(i).id);
  }
  const line = Buffer.from(`${JSON.stringify(flist)}\n`);
  const bytes = Buffer.concat([line, ...[...names].map((name) => Buffer.from(name, 'hex'))]);
  directory.within(shard, true, (path) => {
    const name = nameOf(flist);
    writeNew(path, name, bytes, (_, temporary) => renameSync(temporary, `${path}/${name}`));
  });
  return names.size;
}

/** Takes back `pin`. @returns whether it was pinned. @throws what the system says. */
export function unpin(directory: CacheDirectory, flist: string): boolean {
  try {
    directory.within(shard, false, (path) => unlinkSync(`${path}/${nameOf(flist)}`));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

/** All pins, by the path of the flist. @throws what the system says, but where there is none. */
export function readPins(directory: CacheDirectory): Pin[] {
  try {
    return directory.within(shard, false, (path) =>
      readdirSync(path)
        .filter((name) => name.endsWith(ending))
        .flatMap((name) => parsePin(readWhole(`${path}/${name}`)) ?? [])
        .sort((a, b) => (a.flist < b.flist ? -1 : 1)),
    );
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return [];
  }
}

/** Reads a pin; undefined when it is none. */
export function parsePin(bytes: Buffer): Pin | undefined {
  const end = bytes.indexOf('\n');
  if (end < 0 || (bytes.length - end - 1) % digestSize !== 0) return undefined;
  try {
    const flist: unknown = JSON.parse(bytes.toString('utf8', 0, end));
    return typeof flist === 'string' ? { flist, names: bytes.subarray(end + 1) } : undefined;
  } catch {
    return undefined;
  }
}

/** The names in pins. */
export function pinnedNames(pins: readonly Pin[]): NameTable {
  const pinned = new NameTable();
  for (const { names } of pins)
    for (let at = 0; at < names.length; at += digestSize)
      pinned.set(shortName(names.toString('hex', at, at + 8)), 1);
  return pinned;
}

const nameOf = (flist: string) => `${sha256(flist)}${ending}`;
