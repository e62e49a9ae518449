import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineAssembler } from './console.ts';

function linesOf(chunks: readonly Uint8Array[], limit?: number): string[] {
  const assembler = new LineAssembler(limit);
  return [...chunks.flatMap((chunk) => assembler.push(chunk)), ...assembler.end()];
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const text = (value: string) => Buffer.from(value);

describe('the line assembler', () => {
  it('gives each line once it is complete, and the last one at the end', () => {
    const assembler = new LineAssembler();
    expect(assembler.push(text('zos: reached in'))).toEqual([]);
    expect(assembler.push(text('it build=1\r\nlogin: '))).toEqual(['zos: reached init build=1']);
    expect(assembler.end()).toEqual(['login: ']);
    expect(assembler.end()).toEqual([]);
  });

  it('strips colours, cursor movements and terminal resets, also when a chunk ends within one', () => {
    const noisy = text('\u001bc\u001b[?7l\u001b[2J\u001b[0mSeaBIOS\r\n\u001b[1;31mred\u001b[0m\ttab\n');
    for (let place = 0; place <= noisy.length; place++) {
      expect(linesOf(cut(noisy, [place]))).toEqual(['SeaBIOS', 'red\ttab']);
    }
  });

  it('keeps text around binary noise and makes U+FFFD of what is no UTF-8', () => {
    expect(linesOf([Buffer.from([0x61, 0x00, 0xff, 0x62, 0x07, 0x0a])])).toEqual(['a\ufffdb']);
  });

  it('keeps a character whose bytes come in two chunks', () => {
    const bytes = text('é€😀\n');
    for (let place = 0; place <= bytes.length; place++)
      expect(linesOf(cut(bytes, [place]))).toEqual(['é€😀']);
  });

  it('drops what goes beyond the limit of a line and goes on with the next', () => {
    const assembler = new LineAssembler(4);
    for (let i = 0; i < 1000; i++) expect(assembler.push(text('abcdef'))).toEqual([]);
    expect(assembler.push(text('\nnext\n'))).toEqual(['abcd', 'next']);
  });

  it('takes a megabyte of unfinished escape sequences', () => {
    expect(linesOf([text('\u001b]'.repeat(1 << 19)), text('\nend\n')]).at(-1)).toBe('end');
    expect(linesOf([text('\u001b[1;'.repeat(1 << 18)), text('\nend\n')]).at(-1)).toBe('end');
  });

  it('gives the same lines however the bytes are cut', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom('\u001b[1;31m', '\n', '\r\n', '\u001b', 'zos: reached init', 'é').map(text),
    );
    fc.assert(
      fc.property(
        fc
          .array(noise, { maxLength: 30 })
          .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part]))),
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.integer({ min: 1, max: 64 }),
        (bytes, places, limit) => {
          const lines = linesOf(cut(bytes, places), limit);
          expect(lines).toEqual(linesOf([bytes], limit));
          for (const line of lines) expect(line.length).toBeLessThanOrEqual(limit);
          for (const line of lines) expect(line).not.toMatch(/[^\P{Cc}\t]/u);
        },
      ),
    );
  });

  it('gives plain lines as they are', () => {
    const plain = fc.string({ unit: 'grapheme' }).map((line) => line.replace(/\p{Cc}/gu, ''));
    fc.assert(
      fc.property(fc.array(plain), (lines) => {
        expect(linesOf([text(lines.map((line) => `${line}\r\n`).join(''))])).toEqual(lines);
      }),
    );
  });
});
