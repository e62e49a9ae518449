import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatControlFields, parseControlFields } from './control-fields.ts';

const parsed = (text: string) => parseControlFields(text).map((fields) => Object.fromEntries(fields));

describe('parseControlFields', () => {
  it('reads paragraphs, whatever the case of the names, and leaves comments out', () => {
    expect(parsed('# one\nPackage: a\nVERSION:1:2\n\n \n\nPackage:  b  \n# two\nSection:\n')).toEqual([
      { package: 'a', version: '1:2' },
      { package: 'b', section: '' },
    ]);
  });

  it('keeps the lines of a value', () => {
    expect(parsed('Description: short\n long\n  indented\n .\n end\nTag: x\r\n')).toEqual([
      { description: 'short\nlong\n indented\n.\nend', tag: 'x' },
    ]);
  });

  it('leaves out lines that are no field', () => {
    expect(parsed(' continuation of nothing\nno field\nA: 1\n')).toEqual([{ a: '1' }]);
    expect(parsed('')).toEqual([]);
  });

  it('reads back what formatControlFields writes', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/);
    const value = fc.stringMatching(/^([!-~]( ?[!-~]){0,10}(\n[!-~]{1,10}){0,3})?$/);
    fc.assert(
      fc.property(fc.dictionary(name, value, { minKeys: 1 }), (fields) => {
        expect(parsed(formatControlFields(Object.entries(fields)))).toEqual([{ ...fields }]);
      }),
    );
  });
});
