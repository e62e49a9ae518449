import { Failure } from '../base/errors.ts';

const headerSize = 64;
const sectionHeaderSize = 64;
const noBits = 8; // SHT_NOBITS: a section without bytes in the file
const allocated = 2n; // SHF_ALLOC: a section that is in memory when the program runs

interface Section {
  /** The section header as it is in the file, with the name as an offset that no longer counts. */
  readonly header: Buffer;
  readonly name: string;
}

/**
 * A program without symbols and debugging information, as `strip` makes it: what is loaded stays at its place, the
 * section headers of the rest go (gABI, ELF header and section header; 64-bit little-endian only).
 * @param name what it is, for messages
 * @throws Failure `corrupt` for anything that is no such program
 */
export function stripSymbols(program: Uint8Array, name: string): Uint8Array {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.length);
  const isElf = bytes.length >= headerSize && bytes.toString('latin1', 0, 6) === '\x7fELF\x02\x01';
  if (!isElf) throw corrupt(name, 'it is no 64-bit ELF file');
  const sections = readSections(bytes, name);
  const kept = sections.map(
    ({ header }, index) => index === 0 || (header.readBigUInt64LE(8) & allocated) !== 0n,
  );
  const loadedEnd = sections
    .filter((_, index) => kept[index])
    .reduce((end, { header }) => Math.max(end, endInFile(header)), headerSize);
  const newIndex = sections.map((_, index) =>
    kept[index] ? kept.slice(0, index).filter(Boolean).length : 0,
  );

  const remaining = sections.filter((_, index) => kept[index]);
  const names = Buffer.from(
    `${remaining.map((section) => `${section.name}\0`).join('')}.shstrtab\0`,
    'latin1',
  );
  const table = align(loadedEnd + names.length, 8);
  const stripped = Buffer.alloc(table + (remaining.length + 1) * sectionHeaderSize);
  bytes.copy(stripped, 0, 0, loadedEnd);
  names.copy(stripped, loadedEnd);

  let nameOffset = 0;
  for (const [index, section] of remaining.entries()) {
    const at = table + index * sectionHeaderSize;
    section.header.copy(stripped, at);
    stripped.writeUInt32LE(nameOffset, at);
    stripped.writeUInt32LE(newIndex[section.header.readUInt32LE(40)] ?? 0, at + 40); // sh_link
    nameOffset += section.name.length + 1;
  }
  writeNameTable(stripped, table + remaining.length * sectionHeaderSize, nameOffset, loadedEnd, names.length);
  stripped.writeBigUInt64LE(BigInt(table), 40); // e_shoff
  stripped.writeUInt16LE(remaining.length + 1, 60); // e_shnum
  stripped.writeUInt16LE(remaining.length, 62); // e_shstrndx
  return stripped;
}

function readSections(bytes: Buffer, name: string): Section[] {
  const offset = Number(bytes.readBigUInt64LE(40));
  const count = bytes.readUInt16LE(60);
  const end = offset + count * sectionHeaderSize;
  const namesIndex = bytes.readUInt16LE(62);
  if (bytes.readUInt16LE(58) !== sectionHeaderSize || namesIndex >= count || end > bytes.length)
    throw corrupt(name, 'its section headers lie outside it');
  const headers = Array.from({ length: count }, (_, index) =>
    bytes.subarray(offset + index * sectionHeaderSize, offset + (index + 1) * sectionHeaderSize),
  );
  if (headers.some((header) => endInFile(header) > bytes.length)) throw corrupt(name, 'it is cut off');
  const names = headers[namesIndex]!;
  const nameTable = bytes.subarray(Number(names.readBigUInt64LE(24)), endInFile(names));
  return headers.map((header) => {
    const start = header.readUInt32LE(0);
    return { header, name: nameTable.toString('latin1', start, nameTable.indexOf(0, start)) };
  });
}

/** Where the bytes of a section end in the file. */
function endInFile(header: Buffer): number {
  if (header.readUInt32LE(4) === noBits) return 0;
  return Number(header.readBigUInt64LE(24) + header.readBigUInt64LE(32));
}

function writeNameTable(bytes: Buffer, at: number, name: number, offset: number, size: number): void {
  bytes.writeUInt32LE(name, at);
  bytes.writeUInt32LE(3, at + 4); // SHT_STRTAB
  bytes.writeBigUInt64LE(BigInt(offset), at + 24);
  bytes.writeBigUInt64LE(BigInt(size), at + 32);
  bytes.writeBigUInt64LE(1n, at + 48); // alignment
}

const align = (value: number, to: number) => Math.ceil(value / to) * to;

function corrupt(name: string, why: string): Failure {
  return new Failure('corrupt', `${name} cannot be stripped: ${why}`);
}
