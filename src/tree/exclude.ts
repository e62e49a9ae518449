import { Failure } from '../base/errors.ts';

/** Whether a path is left out, with all that is below it. */
export type Exclude = (path: string, isDirectory: boolean) => boolean;

interface Rule {
  readonly matches: RegExp;
  readonly onlyDirectories: boolean;
  readonly excludes: boolean;
}

/**
 * Patterns as `.gitignore` has them: `*`, `?` and `[a-z]` stay inside a name, `**` spans directories; a pattern with a `/` before its end
 * is a path from the root of the tree, one without is a name anywhere; a `/` at the end means directories only; `!` takes an
 * earlier pattern back. The last one that matches counts, and below an excluded directory nothing is looked at.
 * @throws Failure `usage` for a pattern that can match nothing.
 */
export function excludeMatching(patterns: readonly string[]): Exclude {
  const rules = patterns.map(ruleOf);
  return (path, isDirectory) => {
    const last = rules.findLast(
      ({ matches, onlyDirectories }) => (isDirectory || !onlyDirectories) && matches.test(path),
    );
    return last?.excludes ?? false;
  };
}

function ruleOf(pattern: string): Rule {
  const excludes = !pattern.startsWith('!');
  const text = excludes ? pattern : pattern.slice(1);
  const onlyDirectories = text.endsWith('/');
  const glob = onlyDirectories ? text.slice(0, -1) : text;
  const path = glob.replace(/^\//, '');
  if (path === '' || /(^|\/)\.{0,2}(\/|$)/.test(path))
    throw new Failure('usage', `the pattern ${JSON.stringify(pattern)} matches nothing`, {
      hint: "write a name such as '*.o', or a path from the root of the tree such as '/var/cache'",
    });
  const anywhere = glob.includes('/') ? '' : '(?:.*/)?';
  return { matches: new RegExp(`^${anywhere}${regexOf(path, pattern)}$`, 's'), onlyDirectories, excludes };
}

function regexOf(glob: string, pattern: string): string {
  let regex = '';
  for (let at = 0; at < glob.length; ) {
    const [taken, part] = nextPart(glob, at);
    regex += part;
    at += taken;
  }
  try {
    return new RegExp(regex).source;
  } catch {
    throw new Failure('usage', `the pattern ${JSON.stringify(pattern)} has a range that is none`, {
      hint: 'write ranges upwards, as in [a-z]',
    });
  }
}

/** How many characters of the pattern come next, and what they are as a regular expression. */
function nextPart(glob: string, at: number): [taken: number, regex: string] {
  const rest = glob.slice(at);
  const [stars = ''] = /^\*+/.exec(rest) ?? [];
  const beginsName = at === 0 || glob[at - 1] === '/';
  if (stars === '**' && beginsName && rest[2] === '/') return [3, '(?:.*/)?'];
  if (rest === '/**') return [3, '/.+'];
  if (glob === '**') return [2, '.+'];
  if (stars !== '') return [stars.length, '[^/]*'];
  if (rest.startsWith('?')) return [1, '[^/]'];
  const [set, negated, members] = /^\[([!^]?)(\]?[^\]]*)\]/s.exec(rest) ?? [];
  if (set !== undefined && members !== '')
    return [set.length, `(?!/)[${negated && '^'}${members!.replace(/[\\[\]^]/g, '\\$&')}]`];
  if (rest.startsWith('\\') && rest.length > 1) return [2, escaped(rest[1]!)];
  return [1, escaped(rest[0]!)];
}

function escaped(character: string): string {
  return character.replace(/[$()*+.?[\\\]^{|}/-]/, '\\$&');
}
