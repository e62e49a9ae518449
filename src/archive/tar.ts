import { Failure } from '../base/errors.ts';

export const tarBlockSize = 512;

/** What a tar header block says, names still as bytes. Format: POSIX.1-2017 pax "ustar Interchange Format". */
export interface TarHeader {
  readonly name: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of data that follow, before padding to whole blocks. */
  readonly size: number;
  /** Whole seconds since the epoch. */
  readonly mtime: number;
  /** One character: `0` file, `1` hard link, `2` symlink, `3` `4` devices, `5` directory, `6` fifo, `x` `g` pax, … */
  readonly type: string;
  readonly linkName: Uint8Array;
  readonly major: number;
  readonly minor: number;
}

const checksumField = { start: 148, end: 156 };

/**
 * The header in a block; undefined for a block of zeros, which ends an archive. Numbers may be octal or GNU base-256.
 * @throws Failure `corrupt` when the checksum or a number is wrong.
 */
export function decodeTarHeader(block: Uint8Array): TarHeader | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  if (number(block, checksumField.start, 8) !== checksum(block))
    throw new Failure('corrupt', 'wrong checksum of a tar header');
  const magic = latin1(block.subarray(257, 263));
  const prefix = magic === 'ustar\0' ? untilNul(block.subarray(345, 500)) : new Uint8Array();
  const shortName = untilNul(block.subarray(0, 100));
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!);
  const isDevice = type === '3' || type === '4';
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), shortName]) : shortName,
    mode: tarNumber(block, 100, 8) & 0o7777,
    uid: tarNumber(block, 108, 8),
    gid: tarNumber(block, 116, 8),
    size: tarNumber(block, 124, 12),
    mtime: number(block, 136, 12),
    // Before ustar a directory was a file with a slash at the end.
    type: type === '0' && shortName.at(-1) === 0x2f ? '5' : type,
    linkName: untilNul(block.subarray(157, 257)),
    major: isDevice ? tarNumber(block, 329, 8) : 0,
    minor: isDevice ? tarNumber(block, 337, 8) : 0,
  };
}

/** The longest name or link target of a header; longer ones go into a pax header. */
export const tarNameLimit = 100;
/** Each number field of a header takes less than this; larger or negative values go into a pax header. */
export const tarNumberLimits = {
  mode: 8 ** 7,
  uid: 8 ** 7,
  gid: 8 ** 7,
  size: 8 ** 11,
  mtime: 8 ** 11,
  major: 8 ** 7,
  minor: 8 ** 7,
};

/**
 * The header block of an entry.
 * @throws Failure `failed` when a value does not fit.
 */
export function encodeTarHeader(header: TarHeader): Uint8Array {
  const block = Buffer.alloc(tarBlockSize);
  const number = (field: keyof typeof tarNumberLimits, start: number) => {
    const [value, limit] = [header[field], tarNumberLimits[field]];
    if (!(value >= 0 && value < limit)) throw misfit(header, field);
    block.write(value.toString(8).padStart(Math.log2(limit) / 3, '0'), start);
  };
  if (header.name.length > tarNameLimit) throw misfit(header, 'name');
  if (header.linkName.length > tarNameLimit) throw misfit(header, 'link target');
  block.set(header.name, 0);
  number('mode', 100);
  number('uid', 108);
  number('gid', 116);
  number('size', 124);
  number('mtime', 136);
  block.write(header.type, 156, 'latin1');
  block.set(header.linkName, 157);
  block.write('ustar\x0000', 257);
  number('major', 329);
  number('minor', 337);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, checksumField.start);
  return block;
}

function misfit({ name }: TarHeader, field: string): Failure {
  return new Failure('failed', `${Buffer.from(name)}: its ${field} does not fit into a tar header`);
}

/**
 * The records of a pax extended header: `LENGTH KEY=VALUE\n`, LENGTH in decimal counting the whole record.
 * @throws Failure `corrupt` when a record is not of this form.
 */
export function decodePax(bytes: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  for (let offset = 0; offset < bytes.length; ) {
    const digits = /^(\d{1,9}) /.exec(latin1(bytes.subarray(offset, offset + 10)))?.[1];
    const end = offset + Number(digits);
    const equals = bytes.indexOf(0x3d, offset);
    if (
      digits === undefined ||
      !(equals >= 0 && equals < end && end <= bytes.length) ||
      bytes[end - 1] !== 0x0a
    )
      throw new Failure('corrupt', 'wrong record in a pax header');
    const key = Buffer.from(bytes.subarray(offset + digits.length + 1, equals)).toString('utf8');
    records.set(key, bytes.subarray(equals + 1, end - 1));
    offset = end;
  }
  return records;
}

/** The pax extended header with these records, in their order. */
export function encodePax(records: Iterable<readonly [key: string, value: Uint8Array]>): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const [key, value] of records) {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
    // The length counts its own digits.
    let length = rest.length + 1;
    while (`${length}`.length + rest.length > length) length++;
    pieces.push(Buffer.from(`${length}`), rest);
  }
  return Buffer.concat(pieces);
}

/** Sum of all bytes of a header, its checksum field counted as spaces. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < block.length; at++)
    sum += at >= checksumField.start && at < checksumField.end ? 0x20 : block[at]!;
  return sum;
}

function number(block: Uint8Array, start: number, length: number): number {
  const field = block.subarray(start, start + length);
  const value = field[0]! & 0x80 ? base256(field) : octal(field);
  if (!Number.isSafeInteger(value)) throw new Failure('corrupt', 'wrong number in a tar header');
  return value;
}

/**
 * A number of a header that is not below zero, octal or base-256.
 * @throws Failure `corrupt`.
 */
export function tarNumber(block: Uint8Array, start: number, length: number): number {
  const value = number(block, start, length);
  if (value < 0) throw new Failure('corrupt', 'negative number in a tar header');
  return value;
}

/** Digits with spaces before and spaces or NULs after them; NaN for anything else. */
function octal(field: Uint8Array): number {
  let at = 0;
  while (field[at] === 0x20) at++;
  let value = 0;
  for (; at < field.length && (field[at]! & 0xf8) === 0x30; at++) value = value * 8 + (field[at]! & 7);
  for (; at < field.length; at++) if (field[at] !== 0x20 && field[at] !== 0) return Number.NaN;
  return value;
}

/** Two's complement, big-endian, below a first bit that marks the form (GNU tar manual, "Extensions"). */
function base256(field: Uint8Array): number {
  const first = field[0]! & 0x7f;
  let value = first >= 0x40 ? first - 0x80 : first;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return value;
}

function untilNul(field: Uint8Array): Uint8Array {
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
