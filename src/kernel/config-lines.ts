import { Failure } from '../base/errors.ts';

/** Where a user finds something in a file. */
export interface Place {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

export interface ConfigLine {
  readonly place: Place;
  /** The words of the line, at least one. */
  readonly words: readonly string[];
}

/** The lines of a list that people edit: words between blanks, `#` starts a comment, empty lines mean nothing. */
export function configLines(text: string, file: string): ConfigLine[] {
  const lines: ConfigLine[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line
      .replace(/#.*/, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    if (words.length > 0) lines.push({ place: { file, line: index + 1 }, words });
  }
  return lines;
}

/** `file:line`, as editors and terminals link it. */
export function formatPlace({ file, line }: Place): string {
  return `${file}:${line}`;
}

/** The failure of a line that cannot be meant. */
export function configFailure(place: Place, message: string, hint?: string): Failure {
  return new Failure('config', `${formatPlace(place)}: ${message}`, hint === undefined ? {} : { hint });
}
