import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseCmdline } from './cmdline.ts';

const parse = (text: string) => Object.fromEntries(parseCmdline(text));

it('reads parameters with and without a value, the last of equal ones', () => {
  expect(parse('console=tty0 quiet console=ttyS0,115200n8 a=b=c\n')).toEqual({
    console: 'ttyS0,115200n8',
    quiet: '',
    a: 'b=c',
  });
});

it('keeps blanks in double quotes, around the value or the whole parameter, as the kernel does', () => {
  expect(parse('dyndbg="file a.c +p" "zos.note=two words" x="" y')).toEqual({
    dyndbg: 'file a.c +p',
    'zos.note': 'two words',
    x: '',
    y: '',
  });
});

it('stops at --', () => {
  expect(parse('a=1 -- b=2')).toEqual({ a: '1' });
});

it('takes a quote that is not closed to the end', () => {
  expect(parse('a="b c')).toEqual({ a: 'b c' });
});

it('reads back any parameters that are written with quotes', () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9._]{0,8}$/);
  const value = fc.stringMatching(/^[ -!#-~]{0,12}$/);
  fc.assert(
    fc.property(fc.dictionary(key, value), (parameters) => {
      const text = Object.entries(parameters).map(([key, value]) => `${key}="${value}"`);
      expect(parse(text.join(' '))).toEqual({ ...parameters });
    }),
  );
});
