import { Failure } from '../base/errors.ts';

/**
 * Splits a command into words as a POSIX shell does (Shell Command Language, section 2.2 "Quoting"), without any
 * expansion: blanks separate, `'…'` keeps everything, `"…"` keeps everything but `\` before `$`, `` ` ``, `"`, `\` and line
 * feed, a backslash keeps the next character, and `#` at the start of a word begins a comment.
 * @throws Failure `config` for a quote that is not closed or a backslash at the end.
 */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words; '' is a word, as in `''`
  for (let at = 0; at < command.length; at++) {
    const character = command[at]!;
    if (/[ \t\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '#' && word === undefined) {
      const end = command.indexOf('\n', at);
      at = end < 0 ? command.length : end;
    } else if (character === "'") {
      const end = command.indexOf("'", at + 1);
      if (end < 0) throw unfinished(command, "a ' is not closed");
      word = (word ?? '') + command.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = /"((?:[^"\\]|\\[\s\S])*)"/y;
      quoted.lastIndex = at;
      const match = quoted.exec(command);
      if (!match) throw unfinished(command, 'a " is not closed');
      word = (word ?? '') + match[1]!.replace(/\\\n|\\([$`"\\])/g, '$1');
      at = quoted.lastIndex - 1;
    } else if (character === '\\') {
      if (++at >= command.length) throw unfinished(command, 'it ends with a backslash');
      if (command[at] !== '\n') word = (word ?? '') + command[at];
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

function unfinished(command: string, why: string): Failure {
  return new Failure('config', `cannot split ${JSON.stringify(command)} into words: ${why}`);
}
