import { blockRefSize, compareNames, type ManifestColumns, nameBytes, xattrsAt } from './manifest-columns.ts';
import { checkBlockCount, maxPath, missingParent, quoted, Violation } from './manifest-rules.ts';
import { checkPrefetchList } from './prefetch-list.ts';

const typeMask = 0o170000;
const directoryType = 0o040000;
const fileType = 0o100000;

/**
 * Checks that the rows of a manifest fit together: every parent is a directory and leads to the root; names are unique in
 * their directory; files have as many blocks as their size asks for; what is to be fetched ahead is there; names of one
 * hard-linked file say the same of it.
 * Each row by itself was checked when the columns were built.
 * @throws Violation
 */
export function checkStructure(columns: ManifestColumns): void {
  checkPaths(columns);
  checkUniqueNames(columns);
  checkBlocks(columns);
  checkPrefetchList(columns);
  columns.link.forEach((first, row) => {
    if (first !== 0) checkLink(columns, row, first);
  });
}

function checkPaths(columns: ManifestColumns): void {
  const { ino, parent, mode } = columns;
  const lengths = new Uint16Array(ino.length);
  for (let row = 1; row < ino.length; row++) {
    const directory = parent[row]!;
    if (!isDirectory(mode[directory]!)) throw missingParent(ino[row]!, ino[directory]!);
    const length = pathLength(columns, lengths, directory) + 1 + nameBytes(columns, row).length;
    if (length > maxPath)
      throw new Violation(`the path of inode ${ino[row]} is longer than ${maxPath} bytes`);
  }
}

/** Stands in `lengths` for a directory whose path is being measured: who comes back to one has gone in a circle. */
const measuring = 0xffff;

/** The length of a directory's path in bytes. `lengths` keeps those that are known, 0 where none is. */
function pathLength(columns: ManifestColumns, lengths: Uint16Array, directory: number): number {
  const { ino, parent } = columns;
  const unknown: number[] = [];
  let at = directory;
  for (; at !== 0 && (lengths[at] === 0 || lengths[at] === measuring); at = parent[at]!) {
    if (lengths[at] === measuring) throw new Violation(`directory ${ino[at]} lies inside itself`);
    lengths[at] = measuring;
    unknown.push(at);
  }
  let length = lengths[at]!;
  for (const row of unknown.reverse()) {
    length += 1 + nameBytes(columns, row).length;
    if (length > maxPath)
      throw new Violation(`the path of inode ${ino[row]} is longer than ${maxPath} bytes`);
    lengths[row] = length;
  }
  return length;
}

function checkUniqueNames(columns: ManifestColumns): void {
  const { ino, parent, childRows } = columns;
  for (let at = 1; at < childRows.length; at++) {
    const [row, before] = [childRows[at]!, childRows[at - 1]!];
    if (parent[row] === parent[before] && compareNames(columns, row, before) === 0)
      throw new Violation(
        `directory ${ino[parent[row]!]} has two entries named ${quoted(nameBytes(columns, row))}`,
      );
  }
}

function checkBlocks(columns: ManifestColumns): void {
  const { ino, blockStart, mode, size } = columns;
  for (let row = 0; row < mode.length; row++) {
    const count = blockStart[row + 1]! - blockStart[row]!;
    checkBlockCount({ ino: ino[row]!, mode: mode[row]!, size: size[row]! }, count);
  }
}

/** The columns that say the same for all names of one file. */
const common = ['mode', 'uid', 'gid', 'size', 'mtime', 'ctime', 'rdev'] as const;

function checkLink(columns: ManifestColumns, row: number, first: number): void {
  const { ino, mode, link, mtimeNs } = columns;
  const isFirst = (mode[first]! & typeMask) === fileType && link[first] === 0;
  const isSame =
    common.every((name) => columns[name][row] === columns[name][first]) &&
    mtimeNs[row] === mtimeNs[first] &&
    Buffer.compare(blockBytes(columns, row), blockBytes(columns, first)) === 0 &&
    haveSameXattrs(columns, row, first);
  if (!isFirst || !isSame)
    throw new Violation(`inode ${ino[row]} is a hard link to ${ino[first]}, which is not the same file`);
}

function blockBytes({ blockRefs, blockStart }: ManifestColumns, row: number): Uint8Array {
  return blockRefs.subarray(blockStart[row]! * blockRefSize, blockStart[row + 1]! * blockRefSize);
}

function haveSameXattrs(columns: ManifestColumns, row: number, other: number): boolean {
  const [mine, others] = [xattrsAt(columns, row), xattrsAt(columns, other)];
  return (
    mine.size === others.size &&
    [...mine].every(([name, value]) => {
      const otherValue = others.get(name);
      return otherValue !== undefined && Buffer.compare(value, otherValue) === 0;
    })
  );
}

function isDirectory(mode: number): boolean {
  return (mode & typeMask) === directoryType;
}
