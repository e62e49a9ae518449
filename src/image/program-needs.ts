import type { ByteSource } from '../kernel/byte-source.ts';
import { ElfFile } from '../kernel/elf.ts';

/** What a program asks of the system that runs it. */
export interface ProgramNeeds {
  /** The program that runs it: of a script its `#!`, of a dynamic executable the loader. */
  readonly interpreter?: string;
  /** Names of shared libraries. */
  readonly libraries: readonly string[];
}

const longestShebang = 256; // BINPRM_BUF_SIZE of Linux
const dynamicNeeded = 1n; // DT_NEEDED (gABI, dynamic section)

/**
 * The needs of a script or of a 64-bit little-endian ELF program or library; none for anything else.
 * @throws Failure `corrupt` for a damaged ELF file.
 */
export function programNeeds(source: ByteSource): ProgramNeeds {
  const head = source.read(0, Math.min(source.size, longestShebang)).toString('latin1');
  const shebang = /^#!\s*(\S+)/.exec(head)?.[1];
  if (shebang !== undefined) return { interpreter: shebang, libraries: [] };
  return head.startsWith('\x7fELF\x02\x01') ? elfNeeds(new ElfFile(source)) : { libraries: [] };
}

function elfNeeds(elf: ElfFile): ProgramNeeds {
  const bytesOf = (name: string) => {
    const section = elf.section(name);
    return section ? elf.bytes(section) : Buffer.alloc(0);
  };
  const dynamic = bytesOf('.dynamic');
  const strings = bytesOf('.dynstr');
  const libraries: string[] = [];
  for (let at = 0; at + 16 <= dynamic.length; at += 16)
    if (dynamic.readBigUInt64LE(at) === dynamicNeeded) {
      const offset = Number(dynamic.readBigUInt64LE(at + 8));
      libraries.push(strings.toString('latin1', offset, strings.indexOf(0, offset)));
    }
  const interpreter = bytesOf('.interp').toString('latin1').replace(/\0.*$/s, '');
  return { libraries, ...(interpreter !== '' && { interpreter }) };
}
