/** A small ELF object for tests, in the class and byte order that real modules of this machine do not have. */
export interface ElfPlan {
  readonly bits: 32 | 64;
  readonly bigEndian: boolean;
  readonly sections: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  readonly symbols: readonly { readonly name: string; readonly section: number }[];
}

/** The sections of the plan come first, from index 1; then `.symtab`, `.strtab` and `.shstrtab`. */
export function buildElf({ bits, bigEndian, sections, symbols }: ElfPlan): Buffer {
  const is64 = bits === 64;
  const number = (size: 1 | 2 | 4 | 8, value: number): Buffer => {
    const bytes = Buffer.alloc(size);
    bytes.writeUIntBE(value, Math.max(0, size - 6), Math.min(size, 6));
    return bigEndian ? bytes : bytes.reverse();
  };
  const word = (value: number) => number(is64 ? 8 : 4, value);

  const names = stringTable();
  const symbolNames = stringTable();
  const symbolBytes = [Buffer.alloc(is64 ? 24 : 16)];
  for (const symbol of symbols) {
    const name = number(4, symbolNames.add(symbol.name));
    const rest = [number(1, 0), number(1, 0), number(2, symbol.section)];
    symbolBytes.push(
      is64
        ? Buffer.concat([name, ...rest, Buffer.alloc(16)])
        : Buffer.concat([name, Buffer.alloc(8), ...rest]),
    );
  }
  const all = [
    ...sections.map(({ name, bytes }) => ({ name, bytes, type: 1, link: 0 })),
    { name: '.symtab', bytes: Buffer.concat(symbolBytes), type: 2, link: sections.length + 2 },
    { name: '.strtab', bytes: symbolNames.bytes(), type: 3, link: 0 },
  ].map((section) => ({ ...section, nameOffset: names.add(section.name) }));
  const last = {
    name: '.shstrtab',
    type: 3,
    link: 0,
    nameOffset: names.add('.shstrtab'),
    bytes: names.bytes(),
  };

  const headerSize = is64 ? 64 : 52;
  const contents: Uint8Array[] = [];
  const headers = [Buffer.alloc(is64 ? 64 : 40)];
  let offset = headerSize;
  for (const { nameOffset, type, link, bytes } of [...all, last]) {
    headers.push(
      Buffer.concat([
        ...[number(4, nameOffset), number(4, type), word(0), word(0), word(offset), word(bytes.length)],
        ...[number(4, link), number(4, 0), word(1), word(0)],
      ]),
    );
    contents.push(bytes);
    offset += bytes.length;
  }
  const header = Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, bigEndian ? 2 : 1, 1]),
    Buffer.alloc(9),
    ...[number(2, 1), number(2, 62), number(4, 1), word(0), word(0), word(offset), number(4, 0)],
    ...[headerSize, 0, 0, is64 ? 64 : 40, headers.length, headers.length - 1].map((value) =>
      number(2, value),
    ),
  ]);
  return Buffer.concat([header, ...contents, ...headers]);
}

function stringTable() {
  let text = '\0';
  return {
    add(name: string): number {
      const offset = text.length;
      text += `${name}\0`;
      return offset;
    },
    bytes: () => Buffer.from(text, 'latin1'),
  };
}
