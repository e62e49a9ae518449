import { Failure } from '../../base/errors.ts';

/** An element of a document; its text is that of its own, without that of its children. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

const deepest = 32;
const entities = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);
const name = '[A-Za-z_][\\w.:-]*';
/** Servers give two at most. A repetition without a bound takes stack for every round. */
const attributes = `(?:\\s+${name}\\s*=\\s*(?:"[^"<]*"|'[^'<]*')){0,64}`;
const token = new RegExp(
  `(<\\?|<!--|<!\\[CDATA\\[)|<(${name})${attributes}\\s*(/?)>|</(${name})\\s*>|([^<]+)`,
  'y',
);
/** What ends that which may hold anything else. */
const ends: Readonly<Record<string, string>> = { '<?': '?>', '<!--': '-->', '<![CDATA[': ']]>' };

/**
 * Reads the part of XML that servers of S3 answer with: elements and text, also as CDATA. Attributes, comments and processing
 * instructions are passed over; declarations, and so entities of a document's own, are refused.
 * @throws Failure `corrupt`.
 */
export function parseXml(document: string): XmlElement {
  const top = { name: '', children: [] as XmlElement[], text: '' };
  const open = [top];
  token.lastIndex = document.startsWith('\uFEFF') ? 1 : 0;
  while (token.lastIndex < document.length) {
    const at = token.lastIndex;
    const match = token.exec(document);
    if (match === null) throw damaged(`at ${at}`);
    const [, begin, opened, isEmpty, closed, text] = match;
    const inner = open.at(-1)!;
    if (begin !== undefined) {
      const content = document.indexOf(ends[begin]!, token.lastIndex);
      if (content < 0) throw damaged(`at ${at}`);
      if (begin === '<![CDATA[') inner.text += document.slice(token.lastIndex, content);
      token.lastIndex = content + ends[begin]!.length;
    } else if (opened !== undefined) {
      const element = { name: opened, children: [], text: '' };
      inner.children.push(element);
      if (!isEmpty && open.push(element) > deepest) throw damaged(`deeper than ${deepest} elements`);
    } else if (closed !== undefined) {
      if (open.length === 1 || open.pop()!.name !== closed) throw damaged(`</${closed}> at ${at}`);
    } else inner.text += decode(text!, at);
  }
  const [root] = top.children;
  if (open.length > 1) throw damaged(`<${open.at(-1)!.name}> is not closed`);
  if (root === undefined || top.children.length > 1 || top.text.trim() !== '')
    throw damaged('not one element');
  return root;
}

/** The text of the first child of a name. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

function decode(text: string, at: number): string {
  let decoded = '';
  let end = 0;
  for (const { 0: reference, 1: entity, index } of text.matchAll(/&([^;&]{0,9});?/g)) {
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))$/.exec(entity!) ?? [];
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal);
    const char = code <= 0x10ffff ? String.fromCodePoint(code) : entities.get(entity!);
    if (char === undefined || !reference.endsWith(';')) throw damaged(`a reference after ${at}`);
    decoded += text.slice(end, index) + char;
    end = index + reference.length;
  }
  return decoded + text.slice(end);
}

function damaged(where: string): Failure {
  return new Failure('corrupt', `an answer in XML is damaged: ${where}`);
}
