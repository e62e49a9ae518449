import { Failure } from '../base/errors.ts';

/** The fields of a cpio newc header but for sizes and the name, which follow from the member. */
export interface CpioHeader {
  readonly ino: number;
  /** File kind and permission bits as in `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since the epoch. */
  readonly mtime: number;
  /** Device numbers of a device node, 0 for others. */
  readonly major: number;
  readonly minor: number;
}

export interface CpioMember {
  readonly header: CpioHeader;
  readonly name: Uint8Array;
  /** A view into the archive. */
  readonly data: Uint8Array;
  /** Inode numbers count only within one of the archives that were put one after the other; this is its place. */
  readonly archive: number;
}

/** The file kinds of `st_mode` (inode(7)). */
export const cpioKinds = {
  socket: 0o140000,
  symlink: 0o120000,
  file: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;
export const cpioKindMask = 0o170000;

const headerSize = 110;
const trailerName = Buffer.from('TRAILER!!!');
/** Archives are filled up to whole blocks, as GNU cpio does it. */
const blockSize = 512;
/** Linux takes no longer name (PATH_MAX, init/initramfs.c). */
const nameLimit = 4096;

const padding = (offset: number, to: number) => (to - (offset % to)) % to;

/** The zero bytes that follow `size` bytes of data. */
export function cpioPadding(size: number): Uint8Array {
  return new Uint8Array(padding(size, 4));
}

/**
 * The header of a member with its name: what stands before the data (cpio(5) "New ASCII Format"; Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst).
 * @throws Failure `failed` when a value does not fit into the 32 bits of its field.
 */
export function encodeCpioHeader(header: CpioHeader, name: Uint8Array, size: number): Uint8Array {
  const { ino, mode, links, uid, gid, mtime, major, minor } = header;
  const fields = [ino, mode, uid, gid, links, mtime, size, 0, 0, major, minor, name.length + 1, 0];
  if (fields.some((value) => !Number.isInteger(value) || value < 0 || value > 0xffffffff))
    throw new Failure('failed', `${Buffer.from(name)}: a number or size does not fit into a cpio archive`, {
      hint: 'numbers and file sizes must be below 2^32',
    });
  if (name.length >= nameLimit)
    throw new Failure('failed', `${Buffer.from(name)}: the name is too long for Linux`);
  const text = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`;
  const size4 = headerSize + name.length + 1;
  const encoded = Buffer.alloc(size4 + padding(size4, 4));
  encoded.write(text, 'latin1');
  encoded.set(name, headerSize);
  return encoded;
}

/** The end of an archive that has `size` bytes so far. */
export function encodeCpioTrailer(size: number): Uint8Array {
  const nothing = { ino: 0, mode: 0, links: 1, uid: 0, gid: 0, mtime: 0, major: 0, minor: 0 };
  const trailer = encodeCpioHeader(nothing, trailerName, 0);
  return Buffer.concat([trailer, new Uint8Array(padding(size + trailer.length, blockSize))]);
}

/**
 * The members of a cpio archive in newc form, with or without checksums, or of several put one after the other with zero
 * bytes between, as an initramfs may be.
 * @throws Failure `corrupt` with the place when a header is wrong, or the archive is cut off or has no trailer.
 */
export function* readCpio(bytes: Uint8Array): Iterable<CpioMember> {
  let offset = 0;
  for (let archive = 0; offset < bytes.length || archive === 0; archive++) {
    for (;;) {
      const { header, name, data, end } = readMember(bytes, offset);
      offset = end;
      if (Buffer.compare(name, trailerName) === 0) break;
      yield { header, name, data, archive };
    }
    while (bytes[offset] === 0) offset++;
  }
}

function readMember(bytes: Uint8Array, start: number): Omit<CpioMember, 'archive'> & { end: number } {
  const damaged = (what: string) =>
    new Failure('corrupt', `cpio archive is damaged at byte ${start}: ${what}`);
  const cutOff = () =>
    new Failure('corrupt', `cpio archive is cut off at byte ${bytes.length}`, { hint: 'get the file again' });

  const text = Buffer.from(bytes.subarray(start, start + headerSize)).toString('latin1');
  if (text.length < headerSize) throw cutOff();
  if (!/^07070[12][0-9A-Fa-f]{104}$/.test(text)) throw damaged('no newc header');
  const field = (index: number) => Number.parseInt(text.slice(6 + index * 8, 14 + index * 8), 16);

  const nameStart = start + headerSize;
  const nameEnd = nameStart + field(11) - 1;
  const dataStart = nameEnd + 1 + padding(nameEnd + 1 - start, 4);
  const dataEnd = dataStart + field(6);
  if (field(11) < 1 || field(11) > nameLimit) throw damaged('wrong length of a name');
  if (dataEnd > bytes.length) throw cutOff();
  const name = bytes.subarray(nameStart, nameEnd);
  if (name.includes(0) || bytes[nameEnd] !== 0) throw damaged('no NUL at the end of a name');
  const data = bytes.subarray(dataStart, dataEnd);
  // Only files with data have a sum of their own data, as Linux and GNU cpio see it.
  const hasChecksum = text[5] === '2' && (field(1) & cpioKindMask) === cpioKinds.file && data.length > 0;
  if (hasChecksum && checksum(data) !== field(12)) throw damaged('wrong checksum of a file');
  return {
    header: {
      ino: field(0),
      mode: field(1),
      uid: field(2),
      gid: field(3),
      links: field(4),
      mtime: field(5),
      major: field(9),
      minor: field(10),
    },
    name,
    data,
    end: Math.min(dataEnd + padding(field(6), 4), bytes.length),
  };
}

/** Sum of the bytes in 32 bits, as format 070702 has it. */
function checksum(data: Uint8Array): number {
  let sum = 0;
  for (const byte of data) sum = (sum + byte) >>> 0;
  return sum;
}
