import { mkdir, mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { run } from '../base/exec.ts';
import { excludeMatching } from './exclude.ts';
import { walkDirectory } from './walk-directory.ts';

const files = [
  'a',
  'b.o',
  'ab/a',
  'ab/b.o',
  'ab/c/a',
  'ab/c/d/x.o',
  'lib/a',
  'lib/ab/a',
  'lib/[a]',
  'lib/a-b',
];

const piece = fc.constantFrom('a', 'b', 'ab', 'c', 'd', 'lib', '*', '**', '?', '.o', '[a-c]', '[!a]', '-');
const pattern = fc
  .tuple(
    fc.boolean(),
    fc.boolean(),
    fc.array(
      fc.array(piece, { minLength: 1, maxLength: 2 }).map((pieces) => pieces.join('')),
      { minLength: 1, maxLength: 3 },
    ),
    fc.boolean(),
  )
  .map(([negated, rooted, names, directory]) =>
    [negated && '!', rooted && '/', names.join('/'), directory && '/'].filter(Boolean).join(''),
  )
  // Three stars are two to one git and one to another. Two stars after plain text are one, as git's manual has it; but git itself
  // compares the plain text first and then takes the stars for the beginning of a name.
  .filter((text) => !text.includes('***') && !/[^/!]\*\*/.test(text));

describe('excludeMatching', () => {
  test('leaves out what git ignores', async () => {
    await using scratch = await mkdtempDisposable(join(tmpdir(), 'zosbuilder-'));
    const [root, list] = [join(scratch.path, 'tree'), join(scratch.path, 'patterns')];
    for (const file of files) {
      await mkdir(dirname(join(root, file)), { recursive: true });
      await writeFile(join(root, file), '');
    }
    await run('git', ['init', '-q', root]);
    await fc.assert(
      fc.asyncProperty(fc.array(pattern, { minLength: 1, maxLength: 3 }), async (patterns) => {
        await writeFile(list, patterns.join('\n'));
        const { stdout } = await run('git', ['-C', root, 'ls-files', '-z', '-o', `--exclude-from=${list}`]);
        const exclude = [...patterns, '/.git'];
        const found = [...walkDirectory(root, { exclude })]
          .filter(([, { kind }]) => kind === 'file')
          .map(([path]) => path);
        expect(found.sort()).toEqual(stdout.toString().split('\0').filter(Boolean).sort());
      }),
      { numRuns: 150 },
    );
  });

  test.each(['', '/', '!', '..', 'a//b', './a'])('refuses %j, which can match nothing', (pattern) => {
    expect(() => excludeMatching([pattern])).toThrow(expect.objectContaining({ kind: 'usage' }));
  });

  test('refuses a range that is none', () => {
    expect(() => excludeMatching(['[z-a]'])).toThrow(expect.objectContaining({ kind: 'usage' }));
  });
});
