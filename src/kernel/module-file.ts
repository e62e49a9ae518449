import { decompress, detectCompression } from '../archive/compression.ts';
import { Failure } from '../base/errors.ts';
import type { Content } from '../tree/content.ts';
import { type ByteSource, bytesSource, withByteSource } from './byte-source.ts';
import { ElfFile } from './elf.ts';
import { type ModuleInfo, parseModinfo } from './modinfo.ts';

/** What one reading of a module file tells: its fields and its side of the symbol exchange. */
export interface ModuleFile {
  readonly info: ModuleInfo;
  /** Symbols that it gives to other modules. */
  readonly exports: readonly string[];
  /** Symbols that the kernel or other modules must bring, in file order. */
  readonly imports: readonly string[];
}

/** Above this a module file is taken for a decompression bomb; the biggest real one, with debug data, has 60 MB. */
const sizeLimit = 256 * 1024 * 1024;

/**
 * Reads a kernel module, compressed or not (told by magic, not by name). Of an uncompressed one in a plain file only the
 * sections that matter are read.
 * @param path names the module in errors.
 * @throws Failure `corrupt` when it is no module, `hostile` when it unpacks to more than 256 MiB.
 */
export async function readModuleFile(content: Content, path: string): Promise<ModuleFile> {
  const read = await withByteSource(content, path, (source) =>
    isCompressed(source) ? undefined : parseModule(source),
  );
  if (read !== undefined) return read;
  const bytes = await decompress(await content.read(), { limit: sizeLimit, name: path });
  return parseModule(bytesSource(bytes, path));
}

/** The `.modinfo` fields of a module file; see `readModuleFile`. */
export async function readModinfo(content: Content, path: string): Promise<ModuleInfo> {
  return (await readModuleFile(content, path)).info;
}

function isCompressed(source: ByteSource): boolean {
  return detectCompression(source.read(0, Math.min(source.size, 6))) !== 'none';
}

function parseModule(source: ByteSource): ModuleFile {
  const elf = new ElfFile(source);
  const modinfo = elf.section('.modinfo');
  if (modinfo === undefined) throw new Failure('corrupt', `${source.name} is not a kernel module`);
  const symbols = elf.symbols();
  return {
    info: parseModinfo(elf.bytes(modinfo)),
    exports: exportsOf(elf, symbols),
    imports: importsOf(elf, symbols),
  };
}

/**
 * Exported names: with module versions each has a `__crc_` symbol, without them the names stand in
 * `__ksymtab_strings` (kmod, kmod_elf_get_symbols).
 */
function exportsOf(elf: ElfFile, symbols: readonly { name: string }[]): string[] {
  const prefix = '__crc_';
  const versioned = symbols.filter(({ name }) => name.startsWith(prefix));
  if (versioned.length > 0) return versioned.map(({ name }) => name.slice(prefix.length));
  const strings = elf.section('__ksymtab_strings');
  if (strings === undefined) return [];
  return elf
    .bytes(strings)
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '');
}

/**
 * Names that must come from elsewhere: the undefined symbols, then what only the version table knows. The order decides
 * the order of equal choices in `modules.dep` (kmod, kmod_elf_get_dependency_symbols).
 */
function importsOf(elf: ElfFile, symbols: readonly { name: string; section: number }[]): string[] {
  const undefinedNames = symbols.filter(({ name, section }) => section === 0 && name !== '');
  const names = new Set(undefinedNames.map(({ name }) => name));
  for (const name of versionedNames(elf)) names.add(name);
  return [...names];
}

/** The names in `__versions`: entries of 64 bytes, a checksum as wide as an address and a NUL-ended name. */
function versionedNames(elf: ElfFile): string[] {
  const section = elf.section('__versions');
  const bytes = section ? elf.bytes(section) : Buffer.alloc(0);
  const names: string[] = [];
  if (bytes.length % 64 !== 0) return names;
  for (let at = 0; at < bytes.length; at += 64) {
    const start = at + (elf.is64 ? 8 : 4);
    const end = bytes.indexOf(0, start);
    if (end >= start && end < at + 64) names.push(bytes.toString('latin1', start, end));
  }
  return names;
}
