import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogRing, lineSplitter } from './log-ring.ts';

describe('the ring', () => {
  it('keeps the last lines of all services, with zinit marks', () => {
    const ring = new LogRing(2);
    ring.add('+', 'a', 'one');
    ring.add('-', 'b', 'two');
    ring.add('+', 'a', 'three');
    expect(ring.lines()).toEqual(['[-] b: two', '[+] a: three']);
  });

  it('knows the last words of each service', () => {
    const ring = new LogRing(1);
    ring.add('-', 'a', 'disk is full');
    ring.add('-', 'a', '');
    ring.add('+', 'b', 'hello');
    expect(ring.lastLine('a')).toBe('disk is full');
    expect(ring.lastLine('c')).toBeUndefined();
  });
});

describe('cutting output into lines', () => {
  const cut = (chunks: readonly Uint8Array[]) => {
    const lines: string[] = [];
    const split = lineSplitter((text) => lines.push(text));
    for (const chunk of chunks) split(chunk);
    split();
    return lines;
  };

  it('gives the same lines however the bytes are chunked', () => {
    const text = fc.array(fc.constantFrom('a', 'é', '😀', '\n', '\r\n'), { maxLength: 30 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(5)), (parts, sizes) => {
        const bytes = Buffer.from(parts.join(''));
        const chunks: Uint8Array[] = [];
        let rest: Uint8Array = bytes;
        for (const size of sizes) {
          chunks.push(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        chunks.push(rest);
        expect(cut(chunks)).toEqual(cut([bytes]));
      }),
    );
  });

  it('takes a last line without a line feed', () => {
    expect(cut([Buffer.from('a\nb')])).toEqual(['a', 'b']);
  });

  it('cuts a line that never ends', () => {
    const lines = cut(Array.from({ length: 100 }, () => Buffer.alloc(1000, 'x')));
    expect(Math.max(...lines.map((line) => line.length))).toBe(4096);
  });
});
