import { Failure, type FailureKind } from '../../base/errors.ts';
import { decodeName } from '../../base/names.ts';
import { type Route, redactedAddress } from '../../store/route.ts';
import { type BlockRef, blockSize } from '../block/block-codec.ts';
import { type Inode, kindOfMode, rootIno } from './inode.ts';
import type { PrefetchRange } from './prefetch-list.ts';

/** Longest name and longest path in bytes, as Linux has them (`NAME_MAX`, `PATH_MAX` without its NUL). */
export const maxName = 255;
export const maxPath = 4095;
/** Longest name and value of an extended attribute in bytes (xattr(7)). */
const maxXattrName = 255;
const maxXattrValue = 65536;
const maxU32 = 0xffffffff;

/** A rule that a manifest breaks; becomes a `Failure` that names the manifest. */
export class Violation extends Error {
  readonly kind: FailureKind;
  constructor(what: string, kind: FailureKind = 'corrupt') {
    super(what);
    this.kind = kind;
  }
}

/** What a broken rule means for the manifest as a whole; other errors as they are. */
export function failureOf(error: unknown, what: string, hint: string): unknown {
  return error instanceof Violation ? new Failure(error.kind, `${what}: ${error.message}`, { hint }) : error;
}

/** The numbers of an inode. */
export type InodeNumbers = Omit<Inode, 'name' | 'target' | 'link' | 'xattrs'>;

/**
 * Checks an inode by itself: its numbers are in their ranges, its type is known, its name stays inside its directory, and
 * a symbolic link has a target.
 * @param name the bytes of its name
 * @param target the bytes of its target; empty when there is none
 * @throws Violation
 */
export function checkInode(inode: InodeNumbers, name: Uint8Array, target: Uint8Array): void {
  const { ino, parent, size, uid, gid, mode, rdev, ctime, mtime, mtimeNs = 0 } = inode;
  if (!isWithin(ino, Number.MAX_SAFE_INTEGER) || ino === 0)
    throw new Violation(`${ino} is not an inode number`);
  if (!isWithin(uid, maxU32) || !isWithin(gid, maxU32))
    throw new Violation(`inode ${ino} has no valid owner`);
  if (!isWithin(size, Number.MAX_SAFE_INTEGER) || !isWithin(rdev, Number.MAX_SAFE_INTEGER))
    throw new Violation(`inode ${ino} has no valid size or device number`);
  if (!Number.isSafeInteger(ctime) || !Number.isSafeInteger(mtime) || !isWithin(mtimeNs, 999_999_999))
    throw new Violation(`inode ${ino} has no valid times`);
  const kind = isWithin(mode, maxU32) ? kindOfMode(mode) : undefined;
  if (kind === undefined) throw new Violation(`inode ${ino} has the unknown type ${mode.toString(8)}`);
  if (kind === 'symlink' && (target.length === 0 || target.length > maxPath || target.includes(0)))
    throw new Violation(`the link ${ino} has no valid target`);
  const isRoot = ino === rootIno && kind === 'directory' && name.length === 1 && name[0] === slash;
  if (parent === 0 ? !isRoot : ino === rootIno)
    throw new Violation(`inode ${ino} (${quoted(name)}) is not a root: that is the directory 1 named "/"`);
  if (parent !== 0) checkName(ino, name);
}

const slash = 0x2f;
const dot = 0x2e;

function checkName(ino: number, name: Uint8Array): void {
  if (name.length > maxName) throw new Violation(`the name of inode ${ino} is longer than ${maxName} bytes`);
  const isDots = name.length <= 2 && name.every((byte) => byte === dot);
  if (isDots || name.includes(slash) || name.includes(0))
    throw new Violation(`inode ${ino} has the name ${quoted(name)}`, 'hostile');
}

/** @throws Violation for what Linux would not take as an extended attribute */
export function checkXattr(ino: number, name: string, value: Uint8Array): void {
  const isName = name !== '' && !name.includes('\0') && name.isWellFormed();
  if (!isName || Buffer.byteLength(name) > maxXattrName)
    throw new Violation(`inode ${ino} has an extended attribute with the name ${JSON.stringify(name)}`);
  if (value.length > maxXattrValue)
    throw new Violation(
      `the extended attribute ${name} of inode ${ino} is larger than ${maxXattrValue} bytes`,
    );
}

/** @throws Violation when a file has not as many blocks as its size asks for, or something else has any */
export function checkBlockCount(
  { ino, mode, size }: Pick<InodeNumbers, 'ino' | 'mode' | 'size'>,
  count: number,
): void {
  const expected = kindOfMode(mode) === 'file' ? Math.ceil(size / blockSize) : 0;
  if (count !== expected)
    throw new Violation(`inode ${ino} has ${count} blocks, its size ${size} needs ${expected}`);
}

const hexDigits = /^[0-9a-f]{64}$/;

/** @throws Violation for an id or key that is not 32 bytes */
export function checkRef(ino: number, { id, key }: BlockRef): void {
  if (!hexDigits.test(id) || !hexDigits.test(key))
    throw new Violation(`a block id or key of inode ${ino} is not 32 bytes`);
}

/** @throws Violation for what is no range of blocks */
export function checkPrefetch({ ino, first, last }: PrefetchRange): void {
  if (!isWithin(first, last) || !isWithin(last, maxU32))
    throw new Violation(`${first} to ${last} of inode ${ino} is no range of blocks`);
}

/** @throws Violation for text that UTF-8 cannot hold */
export function checkTag(key: string, value: string): void {
  if (!key.isWellFormed() || !value.isWellFormed())
    throw new Violation(`the tag ${JSON.stringify(key)} is not UTF-8`);
}

/** @throws Violation for a route that is not a range of the first byte of an id */
export function checkRoute({ start, end, url }: Route): void {
  if (!isWithin(start, 0xff) || !isWithin(end, 0xff))
    throw new Violation(`the route ${start}-${end} of ${redactedAddress(url)} is not a range of one byte`);
  if (!url.isWellFormed()) throw new Violation(`the route ${redactedAddress(url)} is not UTF-8`);
}

/** What breaks the rule that every parent is a directory of the manifest. */
export function missingParent(ino: number, parent: number): Violation {
  return new Violation(`the parent ${parent} of inode ${ino} is not a directory`);
}

/** A name in an error: quoted, with escapes. */
export function quoted(name: Uint8Array): string {
  return JSON.stringify(decodeName(name));
}

function isWithin(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}
