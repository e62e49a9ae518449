import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../base/errors.ts';
import { bytesSource } from './byte-source.ts';
import { buildElf, type ElfPlan } from './elf.fixture.ts';
import { ElfFile } from './elf.ts';

const name = fc.stringMatching(/^[A-Za-z_.][A-Za-z0-9_.]{0,20}$/);

const plan: fc.Arbitrary<ElfPlan> = fc.record({
  bits: fc.constantFrom(32, 64),
  bigEndian: fc.boolean(),
  sections: fc.uniqueArray(fc.record({ name, bytes: fc.uint8Array({ maxLength: 100 }) }), {
    maxLength: 5,
    selector: (section) => section.name,
  }),
  symbols: fc.array(fc.record({ name, section: fc.integer({ min: 0, max: 5 }) }), { maxLength: 10 }),
});

describe('an ELF file', () => {
  test('of either class and byte order gives back its sections and symbols', () => {
    fc.assert(
      fc.property(plan, (given) => {
        const elf = new ElfFile(bytesSource(buildElf(given), 'test.ko'));
        expect(elf.is64).toBe(given.bits === 64);
        for (const section of given.sections)
          expect(elf.bytes(elf.section(section.name)!)).toEqual(Buffer.from(section.bytes));
        expect(elf.symbols()).toEqual(given.symbols);
      }),
    );
  });

  test('that is damaged anywhere ends in a failure, never in another error', () => {
    const damage = fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(plan, damage, fc.nat({ max: 2000 }), (given, changes, end) => {
        const bytes = buildElf(given);
        for (const [place, value] of changes) bytes[place % bytes.length] = value;
        try {
          const elf = new ElfFile(bytesSource(bytes.subarray(0, end), 'test.ko'));
          for (const section of elf.sections) elf.bytes(section);
          elf.symbols();
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('whose headers point outside it is refused by name', () => {
    const bytes = buildElf({ bits: 64, bigEndian: false, sections: [], symbols: [] });
    bytes.writeBigUInt64LE(2n ** 63n, 40);
    expect(() => new ElfFile(bytesSource(bytes, 'kernel/x.ko'))).toThrow(
      /kernel\/x\.ko points to an impossible/,
    );
  });
});
