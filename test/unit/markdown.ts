import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

/** The text of a file of the project. */
export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** A row of a table: the text of each cell, and what stands in it as code. */
export interface Row {
  readonly cells: readonly string[];
  readonly code: readonly (readonly string[])[];
}

/** What stands between backquotes. */
export const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

/** The text from a heading to the next one of its level or above. */
export function section(text: string, heading: string): string {
  const start = text.indexOf(`${heading}\n`);
  if (start < 0) throw new Error(`there is no heading "${heading}"`);
  const level = /^#+/.exec(heading)![0].length;
  const body = text.slice(start + heading.length);
  const end = body.search(new RegExp(`^#{1,${level}} `, 'm'));
  return end < 0 ? body : body.slice(0, end);
}

export function headings(text: string): string[] {
  return text.split('\n').filter((line) => /^#+ /.test(line));
}

/** The rows of every table whose head has these words, without the head. */
export function tableRows(text: string, head: string): Row[] {
  const rows: Row[] = [];
  let inside = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) inside = false;
    else if (line === head) inside = true;
    else if (inside && !/^[|-]+$/.test(line)) {
      const cells = line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim());
      rows.push({ cells, code: cells.map(codeIn) });
    }
  }
  return rows;
}

/** The first code of each row of such a table: what the table is about. */
export const tableNames = (text: string, head: string): string[] =>
  tableRows(text, head).flatMap(({ code }) => code[0]!);

/** The lines of indented code blocks. */
export function codeLines(text: string): string[] {
  return text.split('\n').flatMap((line) => /^ {4}(.*)$/.exec(line)?.[1] ?? []);
}

/** Where links and pictures that are not on the web lead. */
export function localLinks(text: string): string[] {
  return [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map((match) => match[1]!)
    .filter((target) => !/^https?:/.test(target));
}
