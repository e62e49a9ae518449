import { Failure, type FailureKind } from '../base/errors.ts';
import { redactedAddress } from '../store/route.ts';
import { type BlockRef, blockSize } from './block-codec.ts';
import { type Inode, kindOfMode, rootIno } from './inode.ts';
import type { Manifest } from './manifest.ts';

/** Longest name and longest path in bytes, as Linux has them (`NAME_MAX`, `PATH_MAX` without its NUL). */
const maxName = 255;
const maxPath = 4095;
const maxU32 = 0xffffffff;

/** A rule that a manifest breaks; becomes a `Failure` that names the manifest. */
class Violation extends Error {
  readonly kind: FailureKind;
  constructor(what: string, kind: FailureKind = 'corrupt') {
    super(what);
    this.kind = kind;
  }
}

/**
 * Checks all that readers of a manifest rely on: inode 1 is the one root; every parent is a directory and leads to the root;
 * names stay inside their directory and are unique in it; types are known; links have targets; files have as many blocks
 * as their size asks for; ids and keys are whole; routes are ranges of one byte.
 * @param name what the errors call the manifest.
 * @throws Failure `corrupt`, or `hostile` for a name that would leave the tree.
 */
export function checkManifest(manifest: Manifest, name: string): void {
  try {
    checkRules(manifest);
  } catch (error) {
    throw failureOf(error, `${name} is no valid manifest`, 'get it again from where it was published');
  }
}

/**
 * Checks what a manifest needs to be written: the rules of `checkManifest`, names that rfs can read, and parents numbered before
 * their children as rfs numbers them.
 */
export function checkWritable(manifest: Manifest, name: string): void {
  try {
    checkRules(manifest);
    for (const { ino, parent, name, target } of manifest.inodes) {
      if (parent >= ino) throw new Violation(`inode ${ino} comes before its parent ${parent}`);
      if (!name.isWellFormed() || target?.isWellFormed() === false)
        throw new Violation(`the name or target of inode ${ino}, ${JSON.stringify(name)}, is not UTF-8`);
    }
  } catch (error) {
    throw failureOf(error, `the manifest ${name} cannot be written`, 'rename the file, or leave it out');
  }
}

function failureOf(error: unknown, what: string, hint: string): unknown {
  return error instanceof Violation ? new Failure(error.kind, `${what}: ${error.message}`, { hint }) : error;
}

function checkRules(manifest: Manifest): void {
  manifest.inodes.forEach(checkInode);
  checkTree(manifest.inodes);
  checkBlocks(manifest);
  for (const { start, end, url } of manifest.routes)
    if (!isWithin(start, 0xff) || !isWithin(end, 0xff))
      throw new Violation(`the route ${start}-${end} of ${redactedAddress(url)} is not a range of one byte`);
}

function checkInode(inode: Inode): void {
  const { ino, parent, name, size, uid, gid, mode, rdev, ctime, mtime, target } = inode;
  if (!isWithin(ino, Number.MAX_SAFE_INTEGER) || ino === 0)
    throw new Violation(`${ino} is not an inode number`);
  if (!isWithin(uid, maxU32) || !isWithin(gid, maxU32))
    throw new Violation(`inode ${ino} has no valid owner`);
  if (!isWithin(size, Number.MAX_SAFE_INTEGER) || !isWithin(rdev, Number.MAX_SAFE_INTEGER))
    throw new Violation(`inode ${ino} has no valid size or device number`);
  if (!Number.isSafeInteger(ctime) || !Number.isSafeInteger(mtime))
    throw new Violation(`inode ${ino} has no valid times`);
  const kind = isWithin(mode, maxU32) ? kindOfMode(mode) : undefined;
  if (kind === undefined) throw new Violation(`inode ${ino} has the unknown type ${mode.toString(8)}`);
  if (kind === 'symlink' && !isTarget(target)) throw new Violation(`the link ${ino} has no valid target`);
  if (parent === 0 ? name !== '/' || ino !== rootIno || kind !== 'directory' : ino === rootIno)
    throw new Violation(
      `inode ${ino} (${JSON.stringify(name)}) is not a root: that is the directory 1 named "/"`,
    );
  if (parent !== 0) checkName(inode);
}

function checkName({ ino, name }: Inode): void {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0'))
    throw new Violation(`inode ${ino} has the name ${JSON.stringify(name)}`, 'hostile');
  if (name.length > maxName || Buffer.byteLength(name) > maxName)
    throw new Violation(`the name of inode ${ino} is longer than ${maxName} bytes`);
}

/** Called after every inode is checked by itself. */
function checkTree(inodes: readonly Inode[]): void {
  if (inodes[0]?.ino !== rootIno) throw new Violation('it has no root');
  const directories = new Map<number, Inode>();
  let previous = 0;
  for (const inode of inodes) {
    if (inode.ino <= previous) throw new Violation(`inode ${inode.ino} is there twice or out of order`);
    previous = inode.ino;
    if (kindOfMode(inode.mode) === 'directory') directories.set(inode.ino, inode);
  }
  const pathLength = pathLengths(directories);
  const names = new Map<number, Set<string>>();
  for (const { ino, parent, name } of inodes) {
    if (parent === 0) continue;
    const above = pathLength.get(parent);
    if (above === undefined) throw new Violation(`the parent ${parent} of inode ${ino} is not a directory`);
    if (above + 1 + Buffer.byteLength(name) > maxPath)
      throw new Violation(`the path of inode ${ino} is longer than ${maxPath} bytes`);
    const siblings = names.get(parent) ?? new Set();
    if (siblings.has(name))
      throw new Violation(`directory ${parent} has two entries named ${JSON.stringify(name)}`);
    names.set(parent, siblings.add(name));
  }
}

/** The length of every directory's path in bytes; finds parents that are missing and cycles on the way. */
function pathLengths(directories: ReadonlyMap<number, Inode>): Map<number, number> {
  const lengths = new Map<number, number>([[rootIno, 0]]);
  for (const ino of directories.keys()) {
    const unknown: Inode[] = [];
    for (let at = ino; !lengths.has(at); ) {
      const directory = directories.get(at);
      if (directory === undefined)
        throw new Violation(`the parent ${at} of inode ${unknown.at(-1)!.ino} is not a directory`);
      if (unknown.length > directories.size) throw new Violation(`directory ${ino} lies inside itself`);
      unknown.push(directory);
      at = directory.parent;
    }
    for (const { ino, parent, name } of unknown.reverse())
      lengths.set(ino, lengths.get(parent)! + 1 + Buffer.byteLength(name));
  }
  return lengths;
}

function checkBlocks({ inodes, blocks }: Manifest): void {
  let filesWithBlocks = 0;
  for (const { ino, size, mode } of inodes) {
    const refs = blocks.get(ino) ?? [];
    if (refs.length > 0) filesWithBlocks++;
    const expected = kindOfMode(mode) === 'file' ? Math.ceil(size / blockSize) : 0;
    if (refs.length !== expected)
      throw new Violation(`inode ${ino} has ${refs.length} blocks, its size ${size} needs ${expected}`);
    if (!refs.every(isBlockRef)) throw new Violation(`a block id or key of inode ${ino} is not 32 bytes`);
  }
  if (filesWithBlocks !== blocks.size) throw new Violation('there are blocks of an inode that is not there');
}

const hexDigits = /^[0-9a-f]{64}$/;

function isBlockRef({ id, key }: BlockRef): boolean {
  return hexDigits.test(id) && hexDigits.test(key);
}

function isTarget(target: string | undefined): boolean {
  return !!target && !target.includes('\0') && Buffer.byteLength(target) <= maxPath;
}

function isWithin(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}
