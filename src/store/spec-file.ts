import { readFileSync } from 'node:fs';
import { Failure } from '../base/errors.ts';

/**
 * Store specifications as a command line gives them: one that begins with `@` stands for the lines of a file, so that a
 * secret need not stand where every user of the machine sees it. Empty lines and those that begin with `#` do not count.
 * @throws Failure for a file that cannot be read or names no store. What is in it is not repeated.
 */
export function storeSpecs(argument: string): string[] {
  if (!argument.startsWith('@')) return [argument];
  const path = argument.slice(1);
  const lines = linesOf(path).filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0)
    throw new Failure('config', `${path} names no store`, { hint: 'write [xx-yy=]URL into it, one a line' });
  return lines;
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.trim());
  } catch (cause) {
    throw new Failure('config', `cannot read the file of stores ${JSON.stringify(path)}`, {
      cause,
      hint: 'after the @ stands the path of a file with one [xx-yy=]URL a line',
    });
  }
}
