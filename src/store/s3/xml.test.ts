import fc from 'fast-check';
import { expect, test } from 'vitest';
import { childText, parseXml } from './xml.ts';

test('reads elements, text and references, and passes over what is neither', () => {
  const root = parseXml(
    `\uFEFF<?xml version="1.0" encoding="UTF-8"?>\n<!-- a - comment -->
     <List xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a = 'x>y'><Key>a&amp;b&#47;&#x1F600;<![CDATA[<&]]></Key><Empty/><Key >2</Key ></List>\n`,
  );
  expect(root.name).toBe('List');
  expect(root.children.map(({ name, text }) => [name, text])).toEqual([
    ['Key', 'a&b/😀<&'],
    ['Empty', ''],
    ['Key', '2'],
  ]);
  expect(childText(root, 'Key')).toBe('a&b/😀<&');
  expect(childText(root, 'Other')).toBeUndefined();
});

test.each([
  '',
  'text',
  '<a>',
  '</a>',
  '<a></b>',
  '<a/><b/>',
  '<a/>text',
  '<a b></a>',
  '<a>&other;</a>',
  '<a>&constructor;</a>',
  '<a>&#x110000;</a>',
  '<a>a & b</a>',
  '<a><!-- </a>',
  '<a>]]<![CDATA[</a>',
  '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
  '<a>'.repeat(1000),
  '<a>'.repeat(100) + '</a>'.repeat(100),
])('refuses %j', (text) => {
  expect(() => parseXml(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }));
});

test('takes and refuses documents of any length without running out of stack', () => {
  const long = 'x>?-]'.repeat(4_000_000);
  for (const [begin, end] of [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<?', '?>'],
  ])
    expect(parseXml(`<a>${begin}${long}${end}</a>`).name).toBe('a');
  for (const text of [`<a>&${long}</a>`, `<a${' b="c"'.repeat(3_000_000)}/>`, `<a><!--${long}</a>`])
    expect(() => parseXml(text)).toThrow(expect.objectContaining({ kind: 'corrupt' }));
});

const escaped = (text: string) => text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`);

test('gives back any text that was escaped', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(parseXml(`<a>${escaped(text)}</a>`).text).toBe(text);
    }),
  );
});

test('reads anything that looks like XML, or refuses it', () => {
  const pieces = [
    '<',
    '>',
    '/',
    'a',
    'b',
    '="',
    '"',
    '&',
    ';',
    '#',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?',
    '?>',
    ' ',
  ];
  const noise = fc.array(fc.constantFrom(...pieces), { maxLength: 200 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(noise, (text) => {
      try {
        parseXml(text);
      } catch (error) {
        expect(error).toMatchObject({ kind: 'corrupt' });
      }
    }),
    { numRuns: 2000 },
  );
});
