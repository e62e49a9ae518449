/**
 * Whether a text matches a shell pattern with `*`, `?` and `[…]` (`[!…]` negates, `a-z` is a range); `*` matches `/` too,
 * as fnmatch(3) without flags. Time is at most the product of both lengths, whatever the pattern.
 */
export function matchesPattern(text: string, pattern: string): boolean {
  let [at, inPattern] = [0, 0];
  let lastStar: { pattern: number; text: number } | undefined;
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      lastStar = { pattern: ++inPattern, text: at };
      continue;
    }
    const length = matchOne(text[at]!, pattern, inPattern);
    if (length > 0) {
      at++;
      inPattern += length;
    } else if (lastStar) {
      at = ++lastStar.text;
      inPattern = lastStar.pattern;
    } else return false;
  }
  while (pattern[inPattern] === '*') inPattern++;
  return inPattern === pattern.length;
}

/**
 * Whether a path matches a pattern component by component: `*` stays within one component, a component `**` stands for
 * any number of them, none included.
 */
export function matchesPath(path: string, pattern: string): boolean {
  const components = path.split('/');
  const patterns = pattern.split('/');
  let [at, inPattern] = [0, 0];
  let lastStars: { pattern: number; path: number } | undefined;
  while (at < components.length) {
    if (patterns[inPattern] === '**') lastStars = { pattern: ++inPattern, path: at };
    else if (inPattern < patterns.length && matchesPattern(components[at]!, patterns[inPattern]!)) {
      at++;
      inPattern++;
    } else if (lastStars) {
      at = ++lastStars.path;
      inPattern = lastStars.pattern;
    } else return false;
  }
  while (patterns[inPattern] === '**') inPattern++;
  return inPattern === patterns.length;
}

/** Whether a text has characters that mean something in a pattern. */
export function isPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

/** How many characters of the pattern match the one character, 0 when it does not match. */
function matchOne(character: string, pattern: string, at: number): number {
  const expected = pattern[at];
  if (expected === undefined) return 0;
  if (expected === '?') return 1;
  if (expected === '[') {
    const close = pattern.indexOf(']', at + 2);
    if (close > 0) return matchesSet(character, pattern.slice(at + 1, close)) ? close - at + 1 : 0;
  }
  return expected === character ? 1 : 0;
}

function matchesSet(character: string, set: string): boolean {
  const negated = set[0] === '!' || set[0] === '^';
  let found = false;
  for (let at = negated ? 1 : 0; at < set.length; at++) {
    const isRange = set[at + 1] === '-' && at + 2 < set.length;
    const last = isRange ? set[at + 2]! : set[at]!;
    if (set[at]! <= character && character <= last) found = true;
    if (isRange) at += 2;
  }
  return found !== negated;
}
