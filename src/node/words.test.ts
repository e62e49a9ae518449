import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitWords } from './words.ts';

/** What a real shell makes of a command without expansions. */
function shellWords(command: string): string[] {
  const output = execFileSync('sh', ['-c', `set -f; printf '%s\\0' start ${command}\n`]).toString();
  return output.split('\0').slice(1, -1);
}

describe('splitting a command into words', () => {
  it.each([
    ['a  b\tc', ['a', 'b', 'c']],
    ['', []],
    [`sh -c 'a | b "c"'`, ['sh', '-c', 'a | b "c"']],
    ['"a \\" b" \\$c', ['a " b', '$c']],
    [`a''b '' ""`, ['ab', '', '']],
    ['a #b c', ['a']],
    ['a#b', ['a#b']],
    ['a\\ b', ['a b']],
    ['"keep \\n"', ['keep \\n']],
  ])('%s', (command, words) => {
    expect(splitWords(command)).toEqual(words);
  });

  it.each(["it's", '"open', 'end\\'])('refuses %s', (command) => {
    expect(() => splitWords(command)).toThrow(/cannot split/);
  });

  it('agrees with sh on any quoting', () => {
    const piece = fc.oneof(
      fc.stringMatching(/^[a-z#]{1,3}$/),
      fc.stringMatching(/^'[a-z "\\#$]{0,4}'$/),
      fc.stringMatching(/^"([a-z '#]|\\["\\$a\n]){0,4}"$/),
      fc.stringMatching(/^\\[ "'\\$#a\n]$/),
      fc.constantFrom(' ', '  ', '\t'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const command = pieces.join('');
        fc.pre(!/#[\s\S]*\n/.test(command)); // to sh, a line feed after a comment begins another command
        expect(splitWords(command)).toEqual(shellWords(command));
      }),
      { numRuns: 200 },
    );
  });
});
