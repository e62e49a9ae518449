import { Failure } from '../base/errors.ts';
import type { ByteSource } from './byte-source.ts';

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  /** Place of its bytes in the file. */
  readonly offset: number;
  /** Length in bytes; of a section without bytes in the file (`.bss`), its size in memory. */
  readonly size: number;
  /** Index of the section that belongs to it: for a symbol table, its string table. */
  readonly link: number;
}

export interface ElfSymbol {
  readonly name: string;
  /** Index of the section that defines it; 0 for a symbol that another object must bring. */
  readonly section: number;
}

/** `sh_type` of a section without bytes in the file. */
const noBits = 8;
/** A kernel symbol has at most 512 bytes (KSYM_NAME_LEN); longer names are damage. */
const longestName = 1024;
/** The biggest real module has about 60,000. */
const mostSymbols = 2_000_000;

/** Sizes and places of the fields that are read, by ELF class (gABI: ELF header, section header, symbol table). */
const layouts = {
  1: { header: 52, shoff: 32, shentsize: 46, sectionHeader: 40, symbol: 16, shndx: 14 },
  2: { header: 64, shoff: 40, shentsize: 58, sectionHeader: 64, symbol: 24, shndx: 6 },
} as const;

/**
 * An ELF object as far as kernel modules need it: sections by name and symbols, 32 or 64 bit, either byte order. Reads
 * only what it is asked for, and nothing outside the file, whatever the headers say (gABI, System V ABI chapter 4).
 */
export class ElfFile {
  readonly sections: readonly ElfSection[];
  /** Whether addresses have 64 bits. */
  readonly is64: boolean;
  readonly #source: ByteSource;
  readonly #bigEndian: boolean;

  /** @throws Failure `corrupt` when the bytes are not an ELF object or its headers point outside it. */
  constructor(source: ByteSource) {
    this.#source = source;
    const ident = source.size >= 16 ? source.read(0, 16) : Buffer.alloc(0);
    const [elfClass, order] = [ident[4], ident[5]];
    const isElf = ident.length > 0 && ident.readUInt32BE(0) === 0x7f454c46;
    if (!isElf || (elfClass !== 1 && elfClass !== 2) || (order !== 1 && order !== 2))
      throw new Failure('corrupt', `${source.name} is not an ELF file`);
    this.is64 = elfClass === 2;
    this.#bigEndian = order === 2;
    this.sections = this.#readSections();
  }

  /** The first section of that name. */
  section(name: string): ElfSection | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** The bytes of a section; none for one that has none in the file. */
  bytes(section: ElfSection): Buffer {
    return section.type === noBits ? Buffer.alloc(0) : this.#source.read(section.offset, section.size);
  }

  /** The symbols of `.symtab` without the null symbol, in file order; none when the object was stripped of them. */
  symbols(): ElfSymbol[] {
    const table = this.section('.symtab');
    const names = table && this.sections[table.link];
    if (table === undefined || names === undefined) return [];
    const layout = this.#layout();
    const bytes = this.bytes(table);
    const count = Math.floor(bytes.length / layout.symbol);
    if (count > mostSymbols) throw this.#corrupt(`${count} symbols`);
    const strings = this.bytes(names);
    const symbols: ElfSymbol[] = [];
    for (let at = layout.symbol; at + layout.symbol <= bytes.length; at += layout.symbol)
      symbols.push({
        name: this.#stringAt(strings, this.#u32(bytes, at)),
        section: this.#u16(bytes, at + layout.shndx),
      });
    return symbols;
  }

  #layout() {
    return layouts[this.is64 ? 2 : 1];
  }

  #readSections(): ElfSection[] {
    const layout = this.#layout();
    const header = this.#source.read(0, layout.header);
    const offset = this.#address(header, layout.shoff);
    const entrySize = this.#u16(header, layout.shentsize);
    const count = this.#u16(header, layout.shentsize + 2);
    const namesIndex = this.#u16(header, layout.shentsize + 4);
    if (count === 0) return [];
    if (entrySize !== layout.sectionHeader) throw this.#corrupt(`section headers of ${entrySize} bytes`);
    const table = this.#source.read(offset, count * entrySize);
    const headers = Array.from({ length: count }, (_, index) =>
      this.#sectionHeader(table.subarray(index * entrySize, (index + 1) * entrySize)),
    );
    const namesHeader = headers[namesIndex];
    if (namesHeader === undefined) throw this.#corrupt('no section names');
    const names = this.#source.read(namesHeader.offset, namesHeader.size);
    return headers.map(({ nameOffset, ...header }) => ({
      name: this.#stringAt(names, nameOffset),
      ...header,
    }));
  }

  #sectionHeader(bytes: Buffer) {
    const [offset, size, link] = this.is64 ? [24, 32, 40] : [16, 20, 24];
    return {
      nameOffset: this.#u32(bytes, 0),
      type: this.#u32(bytes, 4),
      offset: this.#address(bytes, offset),
      size: this.#address(bytes, size),
      link: this.#u32(bytes, link),
    };
  }

  /** The NUL-terminated string at a place of a string table. */
  #stringAt(strings: Buffer, offset: number): string {
    if (offset >= strings.length) throw this.#corrupt(`a name at byte ${offset} of ${strings.length}`);
    const end = strings.indexOf(0, offset);
    if (end < 0 || end - offset > longestName) throw this.#corrupt('a name without an end');
    return strings.toString('latin1', offset, end);
  }

  #u16(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  /** A file offset or size: 4 bytes or 8, of which the source refuses what no file can have. */
  #address(bytes: Buffer, at: number): number {
    if (!this.is64) return this.#u32(bytes, at);
    return Number(this.#bigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at));
  }

  #corrupt(what: string): Failure {
    return new Failure('corrupt', `${this.#source.name} is a damaged ELF file: it has ${what}`);
  }
}
